"""Images as ``docker save`` writes them: their config, and the files that a container sees."""

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

_KINDS = {
    tarfile.REGTYPE: "file",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "link",
    tarfile.FIFOTYPE: "fifo",
    tarfile.CHRTYPE: "char",
    tarfile.BLKTYPE: "block",
}
_XATTR = "SCHILY.xattr."
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
_PIECE = 1 << 20  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """The compared attributes of a file, besides its names."""

    kind: str
    mode: str  # octal
    uid: int
    gid: int
    link: str
    device: tuple[int, int]
    xattrs: tuple[tuple[str, str], ...]
    content: str  # digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """An entry of a layer: a file, or another name of a file that is there."""

    path: str
    file: File | None
    same_as: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """An image."""

    config: Mapping[str, Any]
    files: Mapping[str, File]  # by path
    names: Mapping[str, tuple[str, ...]]  # the paths of files that have more than one, by each


Layers = dict[str, Sequence[Member]]  # by diff ID: base layers are read once


def read(archive: Path, known: Layers) -> Saved:
    """Return the only image of a docker archive."""
    with tarfile.open(archive) as tar:
        (entry,) = json.load(_open(tar, "manifest.json"))
        config = json.load(_open(tar, entry["Config"]))
        tree = Tree()
        for name, diff_id in zip(
            entry["Layers"] or (), config["rootfs"]["diff_ids"] or (), strict=True
        ):
            if diff_id not in known:
                known[diff_id] = tuple(members(_open(tar, name)))
            tree.apply(known[diff_id])
    return Saved(config=config, files=tree.files(), names=tree.names())


def members(packed: IO[bytes]) -> Iterator[Member]:
    """Yield the entries of a layer, which may be compressed by gzip."""
    magic = packed.read(2)
    packed.seek(0)
    layer = gzip.GzipFile(fileobj=packed) if magic == b"\x1f\x8b" else packed
    with tarfile.open(fileobj=cast(IO[bytes], layer), mode="r|") as tar:
        for member in tar:
            path = os.path.normpath(f"/{member.name}")
            if member.islnk():
                same_as = os.path.normpath(f"/{member.linkname}")
                yield Member(path=path, file=None, same_as=same_as)
            else:
                yield Member(path=path, file=_file(tar, member))


def _file(tar: tarfile.TarFile, member: tarfile.TarInfo) -> File:
    digest = hashlib.sha256()
    if member.isreg():
        content = cast(IO[bytes], tar.extractfile(member))
        while piece := content.read(_PIECE):
            digest.update(piece)
    return File(
        kind=_KINDS[member.type],
        mode=f"{member.mode & 0o7777:04o}",
        uid=member.uid,
        gid=member.gid,
        link=member.linkname if member.issym() else "",
        device=(member.devmajor, member.devminor) if member.isdev() else (0, 0),
        xattrs=tuple(
            sorted(
                (name.removeprefix(_XATTR), value)
                for name, value in member.pax_headers.items()
                if name.startswith(_XATTR)
            )
        ),
        content=digest.hexdigest() if member.isreg() else "",
    )


def _open(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    return tar.extractfile(name) or io.BytesIO()


@dataclass(eq=False, slots=True)
class _Node:
    """A file at a path; names of one file share ``inode``."""

    inode: list[File]
    children: dict[str, "_Node"] = field(default_factory=dict)


class Tree:
    """Layers, one put on the other (image-spec layer.md, "Applying Changesets")."""

    def __init__(self) -> None:
        self._root = _Node([])

    def apply(self, layer: Sequence[Member]) -> None:
        """Put a layer on top; its whiteouts hide only what is below it."""
        for member in layer:
            parent, _, name = member.path.rpartition("/")
            if name == _OPAQUE:
                if (node := self._find(parent)) is not None:
                    node.children.clear()
            elif name.startswith(_WHITEOUT) and (node := self._find(parent)) is not None:
                node.children.pop(name.removeprefix(_WHITEOUT), None)
        for member in layer:
            if not member.path.rpartition("/")[2].startswith(_WHITEOUT):
                self._put(member)

    def files(self) -> dict[str, File]:
        """Return the files by path, without the root directory."""
        return {path: node.inode[0] for path, node in self._walk() if node.inode}

    def names(self) -> dict[str, tuple[str, ...]]:
        """Return, for each name of a file with several, all its names."""
        groups: dict[int, list[str]] = {}
        for path, node in self._walk():
            groups.setdefault(id(node.inode), []).append(path)
        return {
            path: tuple(sorted(group))
            for group in groups.values()
            if len(group) > 1
            for path in group
        }

    def _put(self, member: Member) -> None:
        if member.path == "/":
            return
        parent, _, name = member.path.rpartition("/")
        above = self._root
        for part in parent.split("/")[1:]:
            above = above.children.setdefault(part, _Node([]))
        if member.file is None:
            there = self._find(member.same_as)
            if there is None:
                raise ValueError(f"{member.path} is another name of {member.same_as}: no such file")
            above.children[name] = _Node(there.inode)
        elif member.file.kind == "directory" and name in above.children:
            old = above.children[name]
            was = not old.inode or old.inode[0].kind == "directory"
            above.children[name] = _Node([member.file], old.children if was else {})
        else:
            above.children[name] = _Node([member.file])

    def _find(self, path: str) -> _Node | None:
        node: _Node | None = self._root
        for part in path.split("/")[1:]:
            node = node.children.get(part) if node else None
        return node

    def _walk(self) -> Iterator[tuple[str, _Node]]:
        waiting = [("", self._root)]
        while waiting:
            above, node = waiting.pop()
            for name, child in node.children.items():
                yield f"{above}/{name}", child
                waiting.append((f"{above}/{name}", child))
