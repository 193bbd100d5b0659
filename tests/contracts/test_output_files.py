"""Contract tests of outputs, and tests of output on this machine."""

import io
import os
import signal
import stat
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from img.adapters.output_files.local import LocalOutputFiles
from img.adapters.output_files.memory import MemoryOutputFiles
from img.application.ports.output_files import OutputFiles, OutputNotWritten
from img.testing.output_files import Broken, OutputFilesContract, Outputs
from tests.support.host.machine import need_root


@pytest.fixture
def printed() -> io.BytesIO:
    return io.BytesIO()


@pytest.fixture
def places(printed: io.BytesIO) -> OutputFiles:
    return LocalOutputFiles(printed)


def on_disk(root: Path) -> Outputs:
    printed = io.BytesIO()

    def files() -> dict[str, bytes]:
        found = (path for path in root.rglob("*") if path.is_file())
        return {str(path.relative_to(root)): path.read_bytes() for path in found}

    return Outputs(
        places=LocalOutputFiles(printed), root=str(root), files=files, printed=printed.getvalue
    )


def in_memory(_root: Path) -> Outputs:
    printed = io.BytesIO()
    places = MemoryOutputFiles(printed)
    places.directories.add("/out")
    return Outputs(
        places=places,
        root="/out",
        files=lambda: {path.removeprefix("/out/"): c for path, c in places.files.items()},
        printed=printed.getvalue,
    )


@pytest.fixture(params=[on_disk, in_memory])
def outputs(request: pytest.FixtureRequest, tmp_path: Path) -> Outputs:
    made: Outputs = request.param(tmp_path)
    return made


class TestOutputFiles(OutputFilesContract):
    pass


def names(directory: Path) -> list[str]:
    return sorted(os.listdir(directory))


def killed_inside(place: AbstractContextManager[object]) -> None:
    """Have a process enter ``place`` and die there without another word."""
    child = os.fork()
    if not child:
        with place:
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)


def test_a_new_file_has_the_mode_that_the_user_likes(places: OutputFiles, tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        with places.file(str(tmp_path / "f")):
            pass
    finally:
        os.umask(mask)

    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o640


def test_where_a_link_leads_is_where_the_file_goes(places: OutputFiles, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")

    with places.file(str(tmp_path / "link")) as file:
        file.write(b"x")

    assert (tmp_path / "real").read_bytes() == b"x"
    assert (tmp_path / "link").is_symlink()


def test_devices_are_written_to_and_stay(places: OutputFiles, tmp_path: Path) -> None:
    with places.file("/dev/null") as file:
        file.write(b"x")

    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_descriptor_that_is_open_is_written_to_where_it_stands(
    places: OutputFiles, tmp_path: Path
) -> None:
    with (tmp_path / "log").open("wb", buffering=0) as log:
        log.write(b"before ")
        with places.file(f"/dev/fd/{log.fileno()}") as file:
            file.write(b"meanwhile ")
        log.write(b"after")

    assert (tmp_path / "log").read_bytes() == b"before meanwhile after"


@pytest.mark.parametrize("path", ["missing/f", "directory"])
def test_a_place_that_takes_no_file_is_named(
    places: OutputFiles, tmp_path: Path, path: str
) -> None:
    (tmp_path / "directory").mkdir()

    with (
        pytest.raises(OutputNotWritten, match=f"cannot write .*{path}: "),
        places.file(str(tmp_path / path)),
    ):
        pass


def test_a_file_of_a_process_that_is_killed_was_never_there(
    places: OutputFiles, tmp_path: Path
) -> None:
    killed_inside(places.file(str(tmp_path / "f")))

    assert names(tmp_path) == []


def test_where_no_file_is_without_a_name_it_has_one_meanwhile(
    places: OutputFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "O_TMPFILE", os.O_DIRECTORY | os.O_CREAT)  # refused everywhere

    places.check_file(str(tmp_path / "f"))
    assert names(tmp_path) == []
    with places.file(str(tmp_path / "f")) as file:
        file.write(b"x")
        assert len(names(tmp_path)) == 1

    assert names(tmp_path) == ["f"]


def test_whether_a_file_has_a_place_is_known_before(places: OutputFiles, tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "f").write_bytes(b"there")

    for path in ("missing/f", "directory", "f/in"):
        with pytest.raises(OutputNotWritten, match=f"cannot write .*{path}: "):
            places.check_file(str(tmp_path / path))
    for path in ("new", "f", "directory/f"):
        places.check_file(str(tmp_path / path))
    places.check_file("-")
    places.check_file("/dev/null")

    assert names(tmp_path) == ["directory", "f"]
    assert (tmp_path / "f").read_bytes() == b"there"


# directories


def test_a_new_directory_is_there_when_it_is_whole(places: OutputFiles, tmp_path: Path) -> None:
    path = tmp_path / "new/deep"

    with places.directory(str(path)) as draft:
        Path(draft, "f").write_bytes(b"1")
        assert not path.exists()

    assert (path / "f").read_bytes() == b"1"
    assert names(path.parent) == ["deep"]
    assert stat.S_IMODE(path.stat().st_mode) & 0o700 == 0o700


def test_a_directory_that_fails_leaves_nothing(places: OutputFiles, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()

    for path in (there, tmp_path / "new"):
        with pytest.raises(Broken), places.directory(str(path)) as draft:
            inner = Path(draft, "d")
            inner.mkdir()
            (inner / "f").write_bytes(b"1")
            inner.chmod(0)
            raise Broken

    assert names(tmp_path) == ["there"]
    assert names(there) == []


def test_what_is_there_is_joined(places: OutputFiles, tmp_path: Path) -> None:
    for path in ("d/kept", "d/replaced", "d/directory/inside", "file"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"old")

    with places.directory(str(tmp_path)) as draft:
        for path in ("d/replaced", "d/directory", "d/new", "file/now-a-directory"):
            Path(draft, path).parent.mkdir(parents=True, exist_ok=True)
            Path(draft, path).write_bytes(b"new")
        os.chmod(Path(draft, "d"), 0o555)
        os.utime(Path(draft, "d"), ns=(5, 5))

    assert names(tmp_path) == ["d", "file"]
    assert names(tmp_path / "d") == ["directory", "kept", "new", "replaced"]
    assert (tmp_path / "d/kept").read_bytes() == b"old"
    for path in ("d/replaced", "d/directory", "d/new", "file/now-a-directory"):
        assert (tmp_path / path).read_bytes() == b"new"
    status = (tmp_path / "d").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_mtime_ns) == (0o555, 5)
    (tmp_path / "d").chmod(0o755)


@pytest.mark.parametrize("delete", [False, True])
def test_links_that_are_there_are_replaced_and_lead_nowhere(
    places: OutputFiles, tmp_path: Path, delete: bool
) -> None:
    outside, path = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    (outside / "f").write_bytes(b"precious")
    path.mkdir()
    for link in ("d", "other"):
        (path / link).symlink_to(outside)
    (path / "f").symlink_to(outside / "f")

    with places.directory(str(path), delete=delete) as draft:
        Path(draft, "d").mkdir()
        Path(draft, "d/f").write_bytes(b"new")
        Path(draft, "f").write_bytes(b"new")

    assert (outside / "f").read_bytes() == b"precious"
    assert (path / "d/f").read_bytes() == (path / "f").read_bytes() == b"new"
    assert not (path / "d").is_symlink()
    assert names(path) == (["d", "f"] if delete else ["d", "f", "other"])


def test_a_directory_may_be_named_by_a_link(places: OutputFiles, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")

    with places.directory(str(tmp_path / "link")) as draft:
        Path(draft, "f").write_bytes(b"1")

    assert names(tmp_path / "real") == ["f"]


def test_names_of_one_file_stay_names_of_one_file(places: OutputFiles, tmp_path: Path) -> None:
    with places.directory(str(tmp_path)) as draft:
        Path(draft, "a").write_bytes(b"1")
        os.link(Path(draft, "a"), Path(draft, "b"))

    assert (tmp_path / "a").samefile(tmp_path / "b")


def test_a_place_that_takes_no_directory_is_named(places: OutputFiles, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    for path in ("file", "file/in"):
        with (
            pytest.raises(OutputNotWritten, match=f"cannot write .*{path}: "),
            places.directory(str(tmp_path / path)),
        ):
            pass

    assert names(tmp_path) == ["file"]


def test_whether_a_directory_has_a_place_is_known_before(
    places: OutputFiles, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "dangling").symlink_to("nowhere")

    for path in ("file", "file/in/it", "dangling"):
        with pytest.raises(OutputNotWritten, match=f"cannot write .*{path}: "):
            places.check_directory(str(tmp_path / path))
    places.check_directory(str(tmp_path))
    places.check_directory(str(tmp_path / "new/deep"))

    assert names(tmp_path) == ["dangling", "file"]


def test_what_a_killed_process_left_of_a_directory_goes_with_the_next(
    places: OutputFiles, tmp_path: Path
) -> None:
    (tmp_path / ".img-draft-of-mine").mkdir()
    path = tmp_path / "out"
    killed_inside(places.directory(str(path)))
    assert len(names(tmp_path)) == 2

    with places.directory(str(path)), places.directory(str(tmp_path / "other")):
        pass

    assert names(tmp_path) == [".img-draft-of-mine", "other", "out"]


def precious(tmp_path: Path) -> Path:
    """Return a directory outside that nothing may happen to."""
    victim = tmp_path / "victim"
    (victim / "deep").mkdir(parents=True)
    (victim / "deep/file").write_text("precious")
    return victim


def test_a_link_with_the_name_of_a_draft_is_left_alone(places: OutputFiles, tmp_path: Path) -> None:
    victim, out = precious(tmp_path), tmp_path / "out"
    out.mkdir()
    for directory in (tmp_path, out):
        (directory / ".img-draft-0123456789abcdef").symlink_to(victim)

    for path in (out, tmp_path / "new"):
        with places.directory(str(path)) as draft:
            Path(draft, "f").write_bytes(b"1")

    assert (victim / "deep/file").read_text() == "precious"
    assert (out / "f").exists()
    assert (tmp_path / "new/f").exists()


def test_a_draft_of_another_user_is_left_alone(places: OutputFiles, tmp_path: Path) -> None:
    need_root()
    victim = tmp_path / ".img-draft-0123456789abcdef"
    os.rename(precious(tmp_path), victim)
    os.chown(victim, 64999, 64999)

    with places.directory(str(tmp_path / "out")):
        pass

    assert (victim / "deep/file").read_text() == "precious"


def test_a_draft_that_another_user_replaces_is_still_the_one_that_is_written(
    places: OutputFiles, tmp_path: Path
) -> None:
    victim, out = precious(tmp_path), tmp_path / "out"
    out.mkdir()

    with places.directory(str(out)) as draft:
        (name,) = names(out)
        os.rename(out / name, tmp_path / "taken")
        (out / name).symlink_to(victim)
        Path(draft, "f").write_bytes(b"1")

    assert (out / "f").read_bytes() == b"1"
    assert names(victim) == ["deep"]
    assert (victim / "deep/file").read_text() == "precious"
