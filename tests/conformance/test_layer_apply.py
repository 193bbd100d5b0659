"""Layers applied in order make the tree that containerd makes of them.

The tables are data of their own; $IMG_CONFORMANCE names the directory that holds them.
"""

import io
import os
import stat
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from img.adapters.layer_archive.tar import TarLayerArchive
from img.domain.errors import ImgError
from img.domain.filesystem.entry import Entry
from img.domain.filesystem.file_index import OPAQUE_WHITEOUT, FileIndex
from img.domain.filesystem.tree import FileTree
from tests.support.conformance_tables import Row, table_rows

_TYPES = {
    "file": tarfile.REGTYPE,
    "dir": tarfile.DIRTYPE,
    "symlink": tarfile.SYMTYPE,
    "hardlink": tarfile.LNKTYPE,
    "char": tarfile.CHRTYPE,
    "block": tarfile.BLKTYPE,
    "fifo": tarfile.FIFOTYPE,
}
_NAMES = {"f": "file", "d": "dir", "l": "symlink", "c": "char", "b": "block", "p": "fifo"}
_MODES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "symlink",
    stat.S_IFCHR: "char",
    stat.S_IFBLK: "block",
    stat.S_IFIFO: "fifo",
}


ROWS = table_rows("layer_apply")
pytestmark = pytest.mark.skipif(not ROWS, reason="$IMG_CONFORMANCE names no conformance tables")
each_row = pytest.mark.parametrize("row", ROWS, ids=[f"{row['id']} {row['name']}" for row in ROWS])


def tar_of(layer: list[Row]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for item in layer:
            if item.get("type") == "global":
                header = tarfile.TarInfo.create_pax_global_header(item.get("pax", {}))
                buffer.write(header)
                archive.offset += len(header)
                continue
            member = tarfile.TarInfo(item["name"])
            member.type = _TYPES[item.get("type", "file")]
            member.mode = int(item.get("mode") or ("0755" if member.isdir() else "0644"), 8)
            member.uid, member.gid = item.get("uid", 0), item.get("gid", 0)
            member.mtime = item.get("mtime", 1700000000)
            member.linkname = item.get("link", "")
            member.devmajor, member.devminor = item.get("dev", (0, 0))
            member.pax_headers = item.get("pax", {})
            text = item.get("text", "").encode()
            member.size = len(text) if member.isreg() else 0
            archive.addfile(member, io.BytesIO(text))
    return buffer.getvalue()


def merged(layers: list[bytes]) -> dict[str, Row]:
    """Return the tree of the indexes."""
    archive = TarLayerArchive()
    indexes = [archive.index(io.BytesIO(layer))[1] for layer in layers]
    tree = FileTree.of(indexes)
    return {
        entry.path: entry_row(entry, text_of(entry, tree, layers))
        for entry in tree.walk("")
        if entry.path
    }


def text_of(entry: Entry, tree: FileTree, layers: list[bytes]) -> str:
    if entry.kind != "f":
        return ""
    layer = io.BytesIO(layers[tree.layer_of(entry.path)])
    contents = TarLayerArchive().contents(layer, {entry.offset: entry.size})
    return "".join(content.read().decode() for _, content in contents)


def entry_row(entry: Entry, text: str) -> Row:
    found: Row = {"t": _NAMES[entry.kind], "u": entry.uid, "g": entry.gid}
    if entry.kind != "l":
        found["m"] = f"{entry.mode:04o}"
    if entry.kind != "d":
        found["mtime"] = entry.mtime // 10**9
    found |= {"text": text, "l": entry.link, "dev": list(entry.device)}
    found["xattrs"] = {name: value.decode() for name, value in entry.xattrs}
    return found


def unpacked(layers: list[bytes], directory: str) -> dict[str, Row]:
    """Return the tree on the disk."""
    archive = TarLayerArchive()
    below: list[FileIndex] = []
    for layer in layers:
        tree = FileTree.of(below)
        archive.unpack(
            io.BytesIO(layer), directory, overlay=False, place=tree.place, implied=tree.get
        )
        below.append(archive.index(io.BytesIO(layer))[1])
    return {os.path.relpath(path, directory): path_row(path) for path in walk(directory)}


def walk(directory: str) -> Iterator[str]:
    for parent, directories, files in os.walk(directory):
        yield from (os.path.join(parent, name) for name in [*directories, *files])


def path_row(path: str) -> Row:
    status = os.lstat(path)
    kind = _MODES[stat.S_IFMT(status.st_mode)]
    found: Row = {"t": kind, "u": status.st_uid, "g": status.st_gid}
    if kind != "symlink":
        found["m"] = f"{stat.S_IMODE(status.st_mode):04o}"
    if kind != "dir":
        found["mtime"] = int(status.st_mtime)
    if kind in ("char", "block"):
        found["dev"] = [os.major(status.st_rdev), os.minor(status.st_rdev)]
    found["text"] = Path(path).read_text() if kind == "file" else ""
    found["l"] = os.readlink(path) if kind == "symlink" else ""
    found["xattrs"] = {
        name: os.getxattr(path, name, follow_symlinks=False).decode()
        for name in os.listxattr(path, follow_symlinks=False)
    }
    return found


def without_nothing(row: Row) -> Row:
    """Fields that say nothing are left out by the table, or not."""
    return {
        key: value
        for key, value in row.items()
        if value not in ("", {}, [0, 0]) and key != "hardlink_of"
    }


def expected(row: Row) -> dict[str, Row]:
    return {path: without_nothing(entry) for path, entry in row["expect"].items()}


def check(row: Row, made: dict[str, Row]) -> None:
    assert {path: without_nothing(entry) for path, entry in made.items()} == expected(row)


@each_row
def test_the_merged_tree_is_what_containerd_unpacks(row: Row) -> None:
    layers = [tar_of(layer) for layer in row["layers"]]
    if "error" in row:
        with pytest.raises(ImgError):
            merged(layers)
        return
    try:
        made = merged(layers)
    except ImgError:
        assert row.get("refusal_ok")
        return
    check(row, made)


def file_links(row: Row) -> dict[str, str]:
    return {
        path: entry["hardlink_of"]
        for path, entry in row.get("expect", {}).items()
        if "hardlink_of" in entry and entry["t"] == "file"
    }


@pytest.mark.parametrize("row", [row for row in ROWS if file_links(row)], ids=lambda row: row["id"])
def test_an_index_knows_which_names_share_a_file(row: Row) -> None:
    tree = FileTree.of(
        TarLayerArchive().index(io.BytesIO(tar_of(layer)))[1] for layer in row["layers"]
    )
    for path, other in file_links(row).items():
        assert tree.inode(path) == tree.inode(other)


@pytest.mark.userns
@pytest.mark.skipif(os.geteuid() != 0, reason="owners and devices need root")
@each_row
def test_the_unpacked_tree_is_what_containerd_unpacks(row: Row) -> None:
    layers = [tar_of(layer) for layer in row["layers"]]
    with tempfile.TemporaryDirectory(dir="/dev/shm") as outer:
        (Path(outer) / "victim").mkdir()
        (Path(outer) / "victim" / "hello").write_text("hello")
        (Path(outer) / "outside").write_text("untouched")
        root = os.path.join(outer, "a", "root")
        os.makedirs(root)
        try:
            made = unpacked(layers, root)
        except ImgError:
            assert "error" in row or row.get("refusal_ok")
        else:
            assert "error" not in row
            check(row, made)
            assert_links(row, root)
        assert sorted(os.listdir(outer)) == ["a", "outside", "victim"]
        assert os.listdir(os.path.join(outer, "a")) == ["root"]
        assert (Path(outer) / "victim" / "hello").read_text() == "hello"
        assert (Path(outer) / "outside").read_text() == "untouched"
        assert os.stat(os.path.join(outer, "outside")).st_nlink == 1


def assert_links(row: Row, root: str) -> None:
    for path, entry in row["expect"].items():
        if "hardlink_of" in entry:
            other = os.path.join(root, entry["hardlink_of"])
            assert os.lstat(os.path.join(root, path)).st_ino == os.lstat(other).st_ino


def overlaid(layers: list[bytes], work: str) -> dict[str, Row]:
    """Return the tree of an overlay mount of the layers, each in its own directory."""
    archive = TarLayerArchive()
    below: list[FileIndex] = []
    folders = [os.path.join(work, "nothing")]
    os.mkdir(folders[0])
    for number, layer in enumerate(layers):
        tree = FileTree.of(below)
        index = archive.index(io.BytesIO(layer))[1]
        if any(entry.path == OPAQUE_WHITEOUT for entry in index):
            del folders[1:]
        folder = os.path.join(work, str(number))
        os.mkdir(folder)
        archive.unpack(
            io.BytesIO(layer),
            folder,
            overlay=True,
            place=tree.place,
            implied=tree.get,
            below=below_of(tree, layers),
        )
        folders.append(folder)
        below.append(index)
    return mounted(folders[::-1], os.path.join(work, "merged"))


def below_of(tree: FileTree, layers: list[bytes]) -> Callable[[str], tuple[Entry, BinaryIO] | None]:
    def below(path: str) -> tuple[Entry, BinaryIO] | None:
        entry = tree.get(path)
        return entry and (entry, io.BytesIO(text_of(entry, tree, layers).encode()))

    return below


def mounted(folders: list[str], merged: str) -> dict[str, Row]:
    os.mkdir(merged)
    # One lower folder alone is refused, so that there are always two.
    options = "ro,userxattr,lowerdir=" + ":".join([*folders, folders[-1] + "/../nothing2"])
    os.mkdir(os.path.join(os.path.dirname(merged), "nothing2"))
    command = ["mount", "-t", "overlay", "overlay", "-o", options, merged]
    tried = subprocess.run(command, capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no overlay mounts here: {tried.stderr.strip()}")
    try:
        return {os.path.relpath(path, merged): path_row(path) for path in walk(merged)}
    finally:
        subprocess.run(["umount", merged], check=True)


@pytest.mark.userns
@pytest.mark.skipif(os.geteuid() != 0, reason="overlay mounts need root")
@each_row
def test_the_overlaid_tree_is_what_containerd_unpacks(row: Row) -> None:
    layers = [tar_of(layer) for layer in row["layers"]]
    with tempfile.TemporaryDirectory(dir="/dev/shm") as work:
        try:
            made = overlaid(layers, work)
        except ImgError:
            assert "error" in row or row.get("refusal_ok")
        else:
            assert "error" not in row
            check(row, made)
