"""Files out of steps of recorded builds, and out of images."""

import io
import os
import stat
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from img.adapters.output_files.local import LocalOutputFiles
from img.adapters.shared_blobs.directory import DirectorySharedBlobs
from img.adapters.snapshotter.memory import MemoryWorkspace
from img.application.ports.blob_store import BlobNotFound
from img.application.ports.image_store import ImageNotFound
from img.application.ports.output_files import OutputNotWritten
from img.application.usecases.copy_out import NothingToCopy
from img.domain.copy_out import CopySource
from img.domain.errors import ImgError, UsageError
from img.domain.filesystem.entry import CHARACTER, DIRECTORY, FILE, SYMLINK, Entry
from img.domain.history.selection import NoSuchBuild
from img.domain.options.cluster_store import DirectoryStore
from img.domain.platform import DefaultPlatform
from img.entrypoints.cli.cp import destination_of
from tests.support.in_memory_app import HERE, InMemoryApp

DOCKERFILE = """\
FROM base
COPY a /a
RUN make
RUN test
"""
TIME = 1_500_000_000 * 10**9  # nanoseconds


def make(root: MemoryWorkspace) -> None:
    root.put(Entry("out", DIRECTORY, 0o750, mtime=TIME))
    root.write("out/result", b"result")
    root.put(Entry("out/tool", FILE, 0o4711, uid=33, gid=34, mtime=TIME))
    root.put(Entry("out/link", SYMLINK, 0o777, link="/../../a"))
    root.put(Entry("out/null", CHARACTER, 0o666, device=(1, 3)))
    root.put(Entry("escape", SYMLINK, 0o777, link="/../../../../etc"))
    root.put(Entry("to-out", SYMLINK, 0o777, link="out"))


@pytest.fixture
def printed() -> io.BytesIO:
    return io.BytesIO()


@pytest.fixture
def app(printed: io.BytesIO) -> InMemoryApp:
    app = InMemoryApp()
    app.container.system.output_files.override(LocalOutputFiles(printed))
    app.publish("base", {"bin/make": b"make"})
    app.commands["make"] = make
    app.commands["test"] = lambda root: root.write("half", b"done")
    app.statuses["test"] = 3
    app.recorded(DOCKERFILE, {"a": b"a"})
    return app


def copy(app: InMemoryApp, source: str, place: Path | str, **options: bool) -> list[str]:
    destination = None if place == "-" else destination_of(str(place))
    run = app.container.housekeeping.copy_out()
    given = {"owners": False, **options}
    left_out: list[str] = run(CopySource.parse(source), destination, DefaultPlatform(HERE), **given)
    return left_out


def names(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


def test_layers_in_the_store_of_a_cluster_are_fetched(app: InMemoryApp, tmp_path: Path) -> None:
    record = app.container.housekeeping.read_history().find("")
    made = record.layers_of(record.instructions[2].vertex)
    assert made is not None
    (tmp_path / "store").mkdir()
    store = DirectorySharedBlobs(DirectoryStore(f"{tmp_path}/store"))
    with app.blobs.open(made[-1].descriptor.digest) as content:
        store.add(made[-1].descriptor, content)
    app.blobs.remove(made[-1].descriptor.digest)
    reach = app.container.steps.reach_recorded_store()

    reach(replace(record, options={"cluster_store": f"dir:{tmp_path}/gone"}))
    with pytest.raises(BlobNotFound):
        copy(app, ":3:/out/result", tmp_path)
    reach(replace(record, options={"cluster_store": f"dir:{tmp_path}/store"}))
    copy(app, ":3:/out/result", tmp_path)

    assert (tmp_path / "result").read_bytes() == b"result"


def test_files_of_each_step_are_copied(app: InMemoryApp, tmp_path: Path) -> None:
    copy(app, ":2:/a", tmp_path)
    copy(app, "^0:RUN make:/out/result", tmp_path / "renamed")
    copy(app, "::/half", tmp_path)
    copy(app, ":1:/bin/make", tmp_path / "a")

    found = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert found == {"a": b"make", "renamed": b"result", "half": b"done"}
    with pytest.raises(NothingToCopy, match=r"^\[4/4\] RUN test has no file /half$"):
        copy(app, ":4:/half", tmp_path, before=True)


def test_a_directory_keeps_modes_and_times(app: InMemoryApp, tmp_path: Path) -> None:
    assert copy(app, ":3:/out", tmp_path / "new") == ["out/null"]

    assert names(tmp_path) == ["new", "new/link", "new/result", "new/tool"]
    assert os.readlink(tmp_path / "new/link") == "/../../a"
    for name, mode in (("new", 0o750), ("new/tool", 0o4711)):
        status = (tmp_path / name).stat()
        assert stat.S_IMODE(status.st_mode) == mode
        assert status.st_mtime_ns == TIME
        assert status.st_uid == os.geteuid()


def test_a_directory_goes_into_one_that_exists(app: InMemoryApp, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/kept").write_bytes(b"kept")

    copy(app, ":3:/out", tmp_path)
    assert names(tmp_path) == ["out", "out/kept", "out/link", "out/result", "out/tool"]
    copy(app, ":3:/out/.", tmp_path)
    assert (tmp_path / "result").read_bytes() == b"result"
    assert (tmp_path / "out/kept").exists()


def test_links_are_copied_or_followed_inside_of_the_root(app: InMemoryApp, tmp_path: Path) -> None:
    copy(app, ":3:/to-out", tmp_path)
    assert os.readlink(tmp_path / "to-out") == "out"
    copy(app, ":3:/out/link", tmp_path / "followed", follow=True)
    assert (tmp_path / "followed").read_bytes() == b"a"
    copy(app, ":3:/to-out/", tmp_path / "slash")
    assert (tmp_path / "slash/result").is_file()
    with pytest.raises(NothingToCopy):
        copy(app, ":3:/escape/passwd", tmp_path)
    with pytest.raises(UsageError, match=r"/a of \[3/4\] RUN make is not a directory"):
        copy(app, ":3:/a/", tmp_path)


def test_links_at_the_destination_do_not_lead_out_of_it(app: InMemoryApp, tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    (outside / "result").write_bytes(b"precious")
    (inside / "out").mkdir(parents=True)
    (inside / "out/result").symlink_to(outside / "result")

    copy(app, ":3:/out", inside)
    assert (outside / "result").read_bytes() == b"precious"
    assert (inside / "out/result").read_bytes() == b"result"
    (inside / "a/mine").mkdir(parents=True)
    with pytest.raises(OutputNotWritten, match=r"inside/a: is a directory"):
        copy(app, ":3:/a", inside)
    assert (inside / "a/mine").is_dir()


def test_a_tar_archive_has_owners_and_devices(app: InMemoryApp, printed: io.BytesIO) -> None:
    copy(app, ":3:/out", "-")

    with tarfile.open(fileobj=io.BytesIO(printed.getvalue())) as tar:
        members = {member.name: member for member in tar}
        result = tar.extractfile("out/result")
        assert result is not None
        assert result.read() == b"result"
    assert list(members) == ["out", "out/link", "out/null", "out/result", "out/tool"]
    assert (members["out/tool"].uid, members["out/tool"].gid) == (33, 34)
    assert members["out/null"].ischr()


def test_names_of_one_file_stay_one_file(app: InMemoryApp, tmp_path: Path) -> None:
    def link(root: MemoryWorkspace) -> None:
        root.write("d/b", b"1")
        root.link("a-first", "d/b")
        root.link("d/c", "d/b")

    app.commands["link"] = link
    app.build("FROM scratch\nRUN link\n")

    copy(app, "app:/d", tmp_path)

    assert (tmp_path / "d/b").samefile(tmp_path / "d/c")
    assert (tmp_path / "d/b").stat().st_nlink == 2


def test_images_are_sources_if_no_step_can_be_meant(app: InMemoryApp, tmp_path: Path) -> None:
    build = app.container.housekeeping.read_history().find().id
    app.build("FROM scratch\nCOPY a /f\n", {"a": b"image"}, tags=["app:1", f"{build}:3"])

    copy(app, "app:1:/f", tmp_path)
    copy(app, f"docker.io/library/{build}:3:/f", tmp_path / "g")
    assert {(tmp_path / name).read_bytes() for name in "fg"} == {b"image"}
    copy(app, f"{build}:2:/a", tmp_path)
    for source, problem, message in (
        (f"{build}:3:/a", UsageError, "is an image and may be a step"),
        ("app:2:/f", ImageNotFound, "not found"),
        ("abc:2:/f", NoSuchBuild, "abc:2 is neither a step of a build nor an image"),
        ("^1:/f", UsageError, "names no step"),
    ):
        with pytest.raises(problem, match=message):
            copy(app, source, tmp_path)
    with pytest.raises(UsageError, match="--before is for a step"):
        copy(app, "app:1:/f", tmp_path, before=True)


@pytest.mark.parametrize("place", ["missing/x", "file/x", "file/", "new/", "fifo"])
def test_nothing_is_made_where_no_copy_can_be(app: InMemoryApp, tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_bytes(b"old")
    os.mkfifo(tmp_path / "fifo")

    with pytest.raises(ImgError, match="director"):
        copy(app, ":2:/a", f"{tmp_path}/{place}")

    assert names(tmp_path) == ["fifo", "file"]
    assert (tmp_path / "file").read_bytes() == b"old"


def test_a_device_alone_is_for_root(app: InMemoryApp, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="/out/null is a device"):
        copy(app, ":3:/out/null", tmp_path)


def test_layers_are_downloaded_if_they_are_needed(tmp_path: Path) -> None:
    app = InMemoryApp()
    app.container.system.output_files.override(LocalOutputFiles(io.BytesIO()))
    app.publish("base", {"bin/make": b"make"})
    record = app.recorded("FROM base\nCOPY --link a /a\n", {"a": b"a"}, tags=(), store=False)
    assert record.status == "completed"
    base = record.instructions[0].facts
    assert base is not None
    assert app.blobs.size(base.layers[0].descriptor.digest) is None

    copy(app, ":2:/bin/make", tmp_path)

    assert (tmp_path / "make").read_bytes() == b"make"


def test_a_platform_is_for_images(app: InMemoryApp, tmp_path: Path) -> None:
    run = app.container.housekeeping.copy_out()

    with pytest.raises(UsageError, match="--platform is for an image, and :2 is a step"):
        run(
            CopySource.parse(":2:/a"),
            destination_of(str(tmp_path)),
            HERE,
            owners=False,
        )
