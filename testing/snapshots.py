"""Layers, steps that write, and full listings of trees, for tests of snapshotters."""

import hashlib
import io
import os
import pickle
import stat
import struct
import traceback
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from img.adapters.blob_store.memory import MemoryBlobStore
from img.adapters.layer_archive.tar import TarLayerArchive
from img.adapters.linux.syscalls import (
    CLONE_NEWNS,
    MNT_DETACH,
    MS_PRIVATE,
    MS_REC,
    mount,
    umount2,
    unshare,
)
from img.adapters.storage.file_entries import entry_of, xattr_names
from img.application.ports.layer_archive import PackedEntry, PackedLayer
from img.application.ports.snapshotter import SnapshotLayer, Workspace
from img.domain.filesystem.changes import is_kept_xattr
from img.domain.filesystem.entry import DIRECTORY, FIFO, FILE, HARDLINK, SYMLINK, Entry
from img.domain.filesystem.tree import FileTree
from img.domain.oci.chain import ChainID, chain_ids_of
from img.domain.process import DirectoryRoot, OverlayRoot, Root

SECOND = 10**9
OLD = 1_600_000_000 * SECOND  # when the base images of the tests were made
_RECENT = 1_700_000_000  # nothing in them is newer, everything a step writes is

# Version 2, cap_net_bind_service=ep (capabilities(7)).
CAPABILITY = struct.pack("<IIIII", 0x0200_0001, 1 << 10, 0, 0, 0)

Space_co = TypeVar("Space_co", bound=Workspace, covariant=True)
Mutation = Callable[[str], object]
"""What a step does to the root file system that it finds at a path."""


def file(path: str, content: bytes = b"", **more: object) -> tuple[Entry, bytes]:
    fields: dict[str, object] = {"mode": 0o644, "mtime": OLD, **more}
    return Entry(path, FILE, size=len(content), **fields), content  # type: ignore[arg-type]


def other(path: str, kind: str, **more: object) -> tuple[Entry, bytes]:
    fields: dict[str, object] = {"mode": 0o755, "mtime": OLD, **more}
    return Entry(path, kind, **fields), b""  # type: ignore[arg-type]


def link(path: str, target: str) -> tuple[Entry, bytes]:
    return Entry(path, HARDLINK, link=target, mtime=OLD), b""


class Prepares(Protocol[Space_co]):
    """A snapshotter, by what its workspaces are."""

    def prepare(self, layers: Sequence[SnapshotLayer], base: FileTree) -> Space_co: ...


@dataclass
class Lab:
    """Layers, the archive that packs them, and the blobs it packs them into."""

    blobs: MemoryBlobStore = field(default_factory=MemoryBlobStore)
    archive: TarLayerArchive = field(default_factory=TarLayerArchive)
    opened: list[ChainID] = field(default_factory=list)

    def pack(self, *entries: tuple[Entry, bytes]) -> PackedLayer:
        return self.archive.pack(
            [PackedEntry(entry=e, open=_opener(content)) for e, content in entries],
            self.blobs.writer(),
        )

    def stack(self, layers: Sequence[PackedLayer]) -> list[SnapshotLayer]:
        chain_ids = chain_ids_of(packed.layer.diff_id for packed in layers)
        return [
            SnapshotLayer(
                chain_id=chain_id, index=packed.index, open=self._opener(chain_id, packed)
            )
            for chain_id, packed in zip(chain_ids, layers, strict=True)
        ]

    def prepare(self, snapshotter: Prepares[Space_co], layers: Sequence[PackedLayer]) -> Space_co:
        return snapshotter.prepare(self.stack(layers), tree_of(layers))

    def _opener(self, chain_id: ChainID, packed: PackedLayer) -> Callable[[], io.BytesIO]:
        def opened() -> io.BytesIO:
            self.opened.append(chain_id)
            with self.blobs.open(packed.layer.descriptor.digest) as blob:
                return io.BytesIO(blob.read())

        return opened

    def pack_changes(
        self, workspace: Workspace, changes: Sequence[Entry], epoch: int | None = None
    ) -> PackedLayer:
        def opener(path: str) -> Callable[[], io.BytesIO]:
            def opened() -> io.BytesIO:
                with workspace.open(path) as content:
                    return io.BytesIO(content.read())

            return opened

        return self.archive.pack(
            [
                PackedEntry(entry=e, open=opener(e.path) if e.kind == FILE and e.size else None)
                for e in changes
            ],
            self.blobs.writer(),
            epoch=epoch,
        )


def _opener(content: bytes) -> Callable[[], io.BytesIO]:
    return lambda: io.BytesIO(content)


def tree_of(layers: Sequence[PackedLayer]) -> FileTree:
    return FileTree.of(packed.index for packed in layers)


# --- steps


def run(root: Root, step: Callable[[str], object]) -> object:
    """Run ``step`` in ``root`` the way an executor would, and return what it returned."""
    match root:
        case DirectoryRoot():
            return step(root.path)
        case OverlayRoot():
            return _in_child(lambda: _on_overlay(root, step))


def _on_overlay(root: OverlayRoot, step: Callable[[str], object]) -> object:
    unshare(CLONE_NEWNS)
    mount("", "/", flags=MS_REC | MS_PRIVATE)
    lowers, [upper, work] = [
        [str(os.open(path, os.O_PATH)) for path in group]
        for group in (root.lowers, (root.upper, root.work))
    ]
    os.chdir("/proc/self/fd")  # short names: the options have to fit in a page
    options = f"lowerdir={':'.join(lowers)},upperdir={upper},workdir={work},userxattr,volatile"
    options += ",index=" + ("on" if root.index else "off")
    mount("overlay", root.target, "overlay", options=options)
    try:
        return step(root.target)
    finally:
        umount2(root.target, MNT_DETACH)


def _in_child(work: Callable[[], object]) -> object:
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(reader)
            try:
                answer: tuple[bool, object] = (True, work())
            except BaseException:
                answer = (False, traceback.format_exc())
            with open(writer, "wb") as pipe:
                pickle.dump(answer, pipe)
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        fine, value = pickle.load(pipe)
    os.waitpid(child, 0)
    assert fine, value
    return value


# --- what is there

Picture = dict[str, tuple[object, ...]]


def picture(directory: str) -> Picture:
    """Return everything that matters of every file below ``directory``, by path."""
    entries: list[tuple[Entry, object]] = []
    todo = [(directory, "")]
    while todo:
        where, path = todo.pop()
        status = os.lstat(where)
        if stat.S_ISSOCK(status.st_mode):
            continue
        entry = entry_of(where, path, status, xattr_names(where))
        if entry.kind == FILE:
            content = Path(where).read_bytes()
            entry = entry._replace(digest=hashlib.sha256(content).hexdigest())
        entries.append((entry, status.st_ino))
        if stat.S_ISDIR(status.st_mode):
            names = os.listdir(where)
            todo += [(f"{where}/{n}", f"{path}/{n}" if path else n) for n in names]
    links: defaultdict[object, list[str]] = defaultdict(list)
    for entry, inode in entries:
        links[inode].append(entry.path)
    return {
        entry.path: (*described(entry), entry.digest, tuple(sorted(links[inode])))
        for entry, inode in entries
    }


def picture_of(tree: FileTree) -> Picture:
    """Return the same of a tree that is made of layers."""
    return {
        entry.path: (
            *described(entry),
            entry.digest if entry.kind == FILE else "",
            tuple(sorted(tree.linked(entry.path))),
        )
        for entry in tree.walk("")
    }


def described(entry: Entry) -> tuple[object, ...]:
    """Return an entry's fields without those that no two runs share; "now" for a recent mtime."""
    seconds = entry.mtime // SECOND
    return (
        entry.path,
        entry.kind,
        entry.mode,
        entry.uid,
        entry.gid,
        entry.size if entry.kind == FILE else 0,
        "now" if seconds > _RECENT else seconds,
        entry.link,
        entry.device,
        tuple(pair for pair in entry.xattrs if is_kept_xattr(pair[0])),
    )


def a_base(lab: Lab) -> list[PackedLayer]:
    """Three layers with something of everything."""
    first = lab.pack(
        other("", DIRECTORY),
        other("bin", SYMLINK, mode=0o777, link="usr/bin"),
        other("dir", DIRECTORY),
        file("dir/one", b"one"),
        other("dir/sub", DIRECTORY, mode=0o700, uid=7, gid=8),
        file("dir/sub/deep", b"deep"),
        file("dir/two", b"two"),
        other("etc", DIRECTORY),
        file("etc/conf", b"old"),
        file("etc/passwd", b"root:x:0:0::/root:/bin/sh\n"),
        other("fifo", FIFO, mode=0o600),
        file("full/full", b"f"),
        file("gone/a", b"a"),
        file("gone/b", b"b"),
        other("links", DIRECTORY),
        file("links/a", b"linked", mode=0o755),
        link("links/b", "links/a"),
        other("links/far", DIRECTORY),
        link("links/far/c", "links/a"),
        file("links/p", b"pair"),
        link("links/q", "links/p"),
        file("links/single", b"single"),
        file("usr/bin/ping", b"ping", mode=0o755, xattrs=(("security.capability", CAPABILITY),)),
        file("usr/bin/su", b"su", mode=0o4755),
        file("usr/share/x", b"x", xattrs=(("user.note", b"hi"),)),
    )
    second = lab.pack(
        file("dir/.wh.two"),
        file("dir/three", b"three", uid=1000, gid=1000),
        file("etc/conf", b"new"),
        file("full/.wh..wh..opq"),
        file("full/other", b"o"),
        file(".wh.gone"),
        file("links/low", b"low"),
    )
    third = lab.pack(
        other("gone", DIRECTORY, mode=0o711),
        file("gone/c", b"c"),
        link("links/high", "links/low"),
        file("odd name\n", b"odd"),
        file("odd \udcff", b"bytes"),
    )
    return [first, second, third]


def write(path: str, content: bytes = b"new content") -> None:
    Path(path).write_bytes(content)
