"""The contract of layer archives for unpacking."""

import contextlib
import gzip
import io
import os
import stat
import struct
import tarfile
from pathlib import Path
from typing import BinaryIO

import pytest

from img.application.ports.layer_archive import (
    InvalidLayer,
    LayerArchive,
    PackedEntry,
)
from img.domain.filesystem.entry import (
    BLOCK,
    CHARACTER,
    DIRECTORY,
    FILE,
    HARDLINK,
    SYMLINK,
    Entry,
)
from tests.support.images.evil_archives import EVIL, Outside, a_tar, info
from tests.support.images.layer_archives import (
    CAPABILITY,
    EVERY_KIND,
    LAYER,
    SECOND,
    packed,
    unpack,
)

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="owners and devices need root")


@as_root
def test_unpacking_sets_everything_exactly(archive: LayerArchive, tmp_path: Path) -> None:
    _, blob = packed(archive, *(each for each in EVERY_KIND if each.entry.path != "d/ids"))
    unpack(archive, blob, tmp_path)
    for each in EVERY_KIND:
        entry = each.entry
        if entry.path == "d/ids" or entry.kind == HARDLINK:
            continue
        path = os.fsencode(tmp_path) + b"/" + entry.path.encode("utf-8", "surrogateescape")
        status = os.lstat(path)
        assert (status.st_uid, status.st_gid) == (entry.uid, entry.gid)
        assert status.st_mtime_ns == entry.mtime
        if entry.kind != SYMLINK:
            assert stat.S_IMODE(status.st_mode) == entry.mode
        else:
            assert os.readlink(path) == entry.link.encode()
        if entry.kind == FILE and entry.path != "d/small":
            assert each.open is not None
            with open(path, "rb") as content:
                assert content.read() == each.open().read()
        if entry.kind in (CHARACTER, BLOCK):
            assert (os.major(status.st_rdev), os.minor(status.st_rdev)) == entry.device
    assert os.getxattr(tmp_path / "d/small", "security.capability") == CAPABILITY
    assert os.stat(tmp_path / "d/u").st_ino == os.stat(tmp_path / "d/small").st_ino


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
@pytest.mark.parametrize("overlay", [False, True], ids=["applied", "overlay"])
def test_modes_do_not_depend_on_the_umask(
    archive: LayerArchive, tmp_path: Path, overlay: bool, umask: int
) -> None:
    modes = (0o0, 0o400, 0o444, 0o644, 0o666, 0o755, 0o777, 0o1644, 0o4755, 0o2711)
    entries = [
        Entry(f"d/{mode:o}", FILE, mode, os.geteuid(), os.getegid(), size=1) for mode in modes
    ]
    _, layer = packed(archive, *(PackedEntry(each, lambda: io.BytesIO(b"x")) for each in entries))
    before = os.umask(umask)
    try:
        unpack(archive, layer, tmp_path, overlay=overlay)
    finally:
        os.umask(before)
    found = {stat.S_IMODE((tmp_path / f"d/{mode:o}").stat().st_mode) for mode in modes}
    assert found == set(modes)


@as_root
@pytest.mark.parametrize("overlay", [False, True], ids=["applied", "overlay"])
def test_a_directory_gives_no_file_its_group_or_its_access_list(
    archive: LayerArchive, tmp_path: Path, overlay: bool
) -> None:
    layer = a_tar((info("f"), b"x"), (info("d/f"), b"x"))
    group, listed = tmp_path / "group", tmp_path / "listed"
    for directory in (group, listed):
        directory.mkdir()
    os.chown(group, 0, 7)
    group.chmod(0o2755)
    # linux/posix_acl_xattr.h: version 2, then tag, permissions and id of each entry
    rows = ((1, 0), (4, 0), (16, 0), (32, 0))
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *row, 2**32 - 1) for row in rows)
    with contextlib.suppress(OSError):  # a file system without access lists
        os.setxattr(listed, "system.posix_acl_default", acl)

    for directory in (group, listed):
        unpack(archive, layer, directory, overlay=overlay)
        for name in ("f", "d/f"):
            status = (directory / name).stat()
            assert (status.st_uid, status.st_gid) == (0, 0)
            assert stat.S_IMODE(status.st_mode) == 0o644


def test_parents_keep_their_times(archive: LayerArchive, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    os.utime(tmp_path / "there", (7, 7))
    os.utime(tmp_path, (8, 8))
    unpack(archive, a_tar((info("there/new/f"), b"x"), info("there/.wh.gone")), tmp_path)
    assert (tmp_path / "there").stat().st_mtime == 7
    assert tmp_path.stat().st_mtime == 8
    assert (tmp_path / "there/new").stat().st_mtime == 0


def test_implied_parents_look_as_they_do_below(archive: LayerArchive, tmp_path: Path) -> None:
    below = {"a": Entry("a", DIRECTORY, 0o2750, mtime=9 * SECOND)}
    unpack(archive, a_tar((info("a/b/f"), b"x")), tmp_path, overlay=True, implied=below.get)
    assert (tmp_path / "a").stat().st_mtime == 9
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o2750
    assert stat.S_IMODE((tmp_path / "a/b").stat().st_mode) == 0o755
    assert (tmp_path / "a/b").stat().st_mtime == 0


@pytest.mark.parametrize("overlay", [False, True], ids=["applied", "overlay"])
@pytest.mark.parametrize("evil", EVIL)
def test_nothing_is_touched_outside(
    archive: LayerArchive, tmp_path: Path, evil: str, overlay: bool
) -> None:
    outside = Outside(tmp_path)
    root = tmp_path / "root"
    root.mkdir()
    with contextlib.suppress(InvalidLayer):
        unpack(archive, EVIL[evil](str(outside.path)), root, overlay=overlay)
    outside.assert_untouched(evil)
    assert sorted(os.listdir(tmp_path)) == ["outside", "root"]


def test_a_hard_link_to_nothing_is_refused(archive: LayerArchive, tmp_path: Path) -> None:
    layer = a_tar(info("h", tarfile.LNKTYPE, "nothing"))
    for overlay in (False, True):
        with pytest.raises(InvalidLayer):
            unpack(archive, layer, tmp_path, overlay=overlay)


def test_links_in_a_circle_are_refused(archive: LayerArchive, tmp_path: Path) -> None:
    layer = a_tar(
        info("a", tarfile.SYMTYPE, "b"), info("b", tarfile.SYMTYPE, "a"), (info("a/f"), b"x")
    )
    with pytest.raises(InvalidLayer):
        unpack(archive, layer, tmp_path)


def test_a_truncated_layer_does_not_unpack(archive: LayerArchive, tmp_path: Path) -> None:
    with pytest.raises(InvalidLayer):
        unpack(archive, gzip.compress(LAYER)[:-20], tmp_path)


def test_whiteouts_hide_the_layers_below_and_nothing_else(
    archive: LayerArchive, tmp_path: Path
) -> None:
    below = a_tar((info("d/lower/f"), b"x"), (info("d/f"), b"x"), (info("e/f"), b"x"))
    layer = a_tar(
        (info("d/lower/new"), b"new"),
        (info("d/f"), b"new"),
        info("d/.wh.f"),
        info("d/.wh.lower"),
        info("e/.wh.f"),
    )
    unpack(archive, below, tmp_path)
    unpack(archive, layer, tmp_path)
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert found == ["d", "d/f", "d/lower", "d/lower/new", "e"]
    assert (tmp_path / "d/f").read_text() == "new"


@as_root
def test_overlay_whiteouts_are_devices_and_attributes(
    archive: LayerArchive, tmp_path: Path
) -> None:
    layer = a_tar(
        info("d", tarfile.DIRTYPE), info("d/.wh.gone"), info("o/.wh..wh..opq"), info(".wh.o2")
    )
    there = {path: Entry(path, DIRECTORY, 0o755) for path in ("d", "o")}
    unpack(archive, layer, tmp_path, overlay=True, implied=there.get)
    for name in ("d/gone", ".wh.o2".removeprefix(".wh.")):
        status = (tmp_path / name).lstat()
        assert stat.S_ISCHR(status.st_mode)
        assert status.st_rdev == 0
    assert os.getxattr(tmp_path / "o", "user.overlay.opaque") == b"y"


@pytest.mark.parametrize("names", [["d/.wh..wh..opq", "d/.wh.x"], ["d/.wh.x", "d/.wh..wh..opq"]])
@as_root
def test_opaque_directories_hold_no_whiteouts_that_the_kernel_would_show(
    archive: LayerArchive, tmp_path: Path, names: list[str]
) -> None:
    there = {"d": Entry("d", DIRECTORY, 0o755)}
    unpack(archive, a_tar(*map(info, names)), tmp_path, overlay=True, implied=there.get)
    assert os.listdir(tmp_path / "d") == []


@as_root
def test_whiteouts_where_nothing_is_below_leave_nothing(
    archive: LayerArchive, tmp_path: Path
) -> None:
    unpack(archive, a_tar(info("d/.wh.x"), info("e", tarfile.DIRTYPE)), tmp_path, overlay=True)
    assert os.listdir(tmp_path) == ["e"]


@as_root
def test_a_directory_over_its_own_whiteout_is_opaque(archive: LayerArchive, tmp_path: Path) -> None:
    layer = a_tar(info(".wh.d"), info("d", tarfile.DIRTYPE), (info("d/f"), b"x"))
    turned = a_tar(info("d", tarfile.DIRTYPE), (info("d/f"), b"x"), info(".wh.d"))
    for number, each in enumerate((layer, turned)):
        root = tmp_path / str(number)
        root.mkdir()
        unpack(archive, each, root, overlay=True)
        assert os.getxattr(root / "d", "user.overlay.opaque") == b"y"
        assert (root / "d/f").read_text() == "x"


def test_links_of_the_layers_below_are_followed(archive: LayerArchive, tmp_path: Path) -> None:
    below = {"real": Entry("real", DIRECTORY, 0o750)}
    unpack(
        archive,
        a_tar((info("l/y"), b"y"), (info("l/sub/z"), b"z")),
        tmp_path,
        overlay=True,
        place=lambda path: path.replace("l/", "real/", 1) if path.startswith("l/") else path,
        implied=below.get,
    )
    assert (tmp_path / "real/y").read_text() == "y"
    assert (tmp_path / "real/sub/z").read_text() == "z"
    assert not (tmp_path / "l").exists()
    assert stat.S_IMODE((tmp_path / "real").stat().st_mode) == 0o750


def test_a_hard_link_to_a_file_below_takes_a_copy(archive: LayerArchive, tmp_path: Path) -> None:
    def below(path: str) -> tuple[Entry, BinaryIO] | None:
        found = Entry("a", FILE, 0o640, mtime=3 * SECOND), io.BytesIO(b"lower")
        return found if path == "a" else None

    archive.unpack(
        io.BytesIO(a_tar(info("b", tarfile.LNKTYPE, "a"))),
        str(tmp_path),
        overlay=True,
        place=lambda path: path,
        implied=lambda _: None,
        below=below,
    )
    assert (tmp_path / "b").read_text() == "lower"
    assert (tmp_path / "b").stat().st_mtime == 3
    assert (tmp_path / "a").stat().st_ino == (tmp_path / "b").stat().st_ino


@as_root
def test_a_device_that_would_be_an_overlay_whiteout_is_refused(
    archive: LayerArchive, tmp_path: Path
) -> None:
    _, blob = packed(archive, PackedEntry(entry=Entry("c", CHARACTER, device=(0, 0))))
    with pytest.raises(InvalidLayer):
        unpack(archive, blob, tmp_path, overlay=True)
