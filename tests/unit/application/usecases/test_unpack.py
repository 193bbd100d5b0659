"""The files of an image, in a directory."""

import io
import os
import stat
from pathlib import Path

import pytest

from img.adapters.output_files.local import LocalOutputFiles
from img.adapters.snapshotter.memory import MemoryWorkspace
from img.application.ports.image_store import ImageNotFound
from img.application.usecases.unpack import UnpackImage
from img.domain.filesystem.entry import CHARACTER, FILE, Entry
from img.domain.image_name import ImageName
from img.domain.oci.index import NoPlatformMatch
from img.domain.reference import ImageReference
from tests.support.in_memory_app import ELSEWHERE, HERE, InMemoryApp

APP = ImageReference.parse("app")
NULL = Entry("dev/null", CHARACTER, 0o666, device=(1, 3))
CAPABLE = Entry(
    "bin/ping",
    FILE,
    0o4755,
    uid=33,
    gid=34,
    xattrs=(("security.capability", b"c"), ("user.a", b"b")),
)


def make(root: MemoryWorkspace) -> None:
    root.put(NULL)
    root.put(CAPABLE)


@pytest.fixture
def app() -> InMemoryApp:
    made = InMemoryApp()
    made.container.system.output_files.override(LocalOutputFiles(io.BytesIO()))
    made.commands["make"] = make
    made.build("FROM scratch\nRUN make\nCOPY a /dir/\n", {"a": b"1"})
    return made


def unpack(app: InMemoryApp) -> UnpackImage:
    made: UnpackImage = app.container.images.unpack_image()
    return made


def test_a_user_gets_files_of_his_own_and_no_devices(app: InMemoryApp, tmp_path: Path) -> None:
    left_out = unpack(app)(ImageName.of(APP), HERE, str(tmp_path / "root"), owners=False)

    assert left_out == ["dev/null"]
    assert (tmp_path / "root/dir/a").read_bytes() == b"1"
    assert list((tmp_path / "root/dev").iterdir()) == []
    status = (tmp_path / "root/bin/ping").stat()
    assert stat.S_IMODE(status.st_mode) == 0o4755
    assert (status.st_uid, status.st_gid) == (os.geteuid(), os.getegid())


def test_nothing_is_made_of_an_image_that_is_not_here(app: InMemoryApp, tmp_path: Path) -> None:
    with pytest.raises(ImageNotFound):
        unpack(app)(ImageName.parse("x"), HERE, str(tmp_path / "x"), owners=False)
    app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, platforms=[HERE, ELSEWHERE])
    unknown = ELSEWHERE.parse("windows/amd64", HERE)
    with pytest.raises(NoPlatformMatch):
        unpack(app)(ImageName.of(APP), unknown, str(tmp_path / "x"), owners=False)

    assert list(tmp_path.iterdir()) == []


def test_garbage_is_not_collected_meanwhile(app: InMemoryApp, tmp_path: Path) -> None:
    class Watching(LocalOutputFiles):
        def directory(self, path: str, *, delete: bool = False, same_kinds: bool = False):  # type: ignore[no-untyped-def]
            with app.lock.alone() as alone:
                assert not alone
            return super().directory(path, delete=delete, same_kinds=same_kinds)

    app.container.system.output_files.override(Watching(io.BytesIO()))
    unpack(app)(ImageName.of(APP), HERE, str(tmp_path / "root"), owners=False)
