"""A place to try snapshotters: layers from a few words, steps that really write, full walks."""

import hashlib
import io
import os
import pickle
import shutil
import stat
import traceback
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

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
from img.adapters.snapshotter.fuse import FuseSnapshotter
from img.adapters.snapshotter.naive import NaiveSnapshotter
from img.adapters.snapshotter.overlay import OverlaySnapshotter
from img.adapters.storage.file_entries import entry_of, xattr_names
from img.adapters.storage.ownership import REAL, Ownership
from img.application.ports.layer_archive import LayerArchive, PackedEntry, PackedLayer
from img.application.ports.snapshotter import SnapshotLayer, Snapshotter, Workspace
from img.domain.digest import Digest
from img.domain.filesystem.changes import is_kept_xattr
from img.domain.filesystem.entry import FILE, HARDLINK, Entry
from img.domain.filesystem.tree import FileTree
from img.domain.oci.chain import ChainID, DiffID, chain_ids_of
from img.domain.process import DirectoryRoot, OverlayRoot, Root

SECOND = 10**9
OLD = 1_600_000_000 * SECOND  # when the base images of the tests were made
_RECENT = 1_700_000_000  # nothing in them is newer, everything a step writes is

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


def fake_chain_id(number: int) -> ChainID:
    return ChainID(DiffID(Digest.of(b"%d" % number)))


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


# --- snapshotters


@dataclass(frozen=True)
class Kind:
    """A way to keep files: the snapshotter, and how it is made."""

    name: str
    make: Callable[[Path, TarLayerArchive], Snapshotter]


@cache
def why_no_overlay(*, index: bool = False) -> str:
    """Return why overlays cannot be mounted in tests here; "" if they can."""
    if os.geteuid() != 0:
        return "needs root, or a user namespace with many ids"
    directory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp"
    base = f"{directory}/img-probe-{os.getpid()}"
    lower, upper, work, target = (f"{base}/{name}" for name in ("l", "u", "w", "t"))
    for name in (lower, upper, work, target):
        os.makedirs(name)
    try:
        root = OverlayRoot(lowers=(lower,), upper=upper, work=work, target=target, index=index)
        run(root, lambda path: os.mkdir(f"{path}/x"))
        if index and not os.path.isdir(f"{work}/index"):
            return "the kernel keeps no index for overlays in a user namespace"
    except AssertionError as error:
        return f"no overlay can be mounted here: {str(error).splitlines()[-1]}"
    finally:
        shutil.rmtree(base)
    return ""


needs_overlay = pytest.mark.skipif(bool(why_no_overlay()), reason=why_no_overlay() or "fine")
needs_index = pytest.mark.skipif(
    bool(why_no_overlay(index=True)), reason=why_no_overlay(index=True) or "fine"
)


def copy_bytes(source: int, target: int) -> None:
    """Stand for a reflink where the file system has none."""
    while os.sendfile(target, source, None, 1 << 20):
        pass


def cloning(root: Path, archive: LayerArchive, ownership: Ownership = REAL) -> NaiveSnapshotter:
    """Return the naive snapshotter as it is on a file system whose files share blocks."""
    return NaiveSnapshotter(root, archive, ownership, copy_bytes)


OVERLAY = Kind("overlay without index", partial(OverlaySnapshotter, index=False))
NAIVE = Kind("naive", NaiveSnapshotter)
CLONING = Kind("naive with reflinks", cloning)
INDEXED = Kind("overlay with index", OverlaySnapshotter)
FUSE = Kind("fuse", FuseSnapshotter)
KINDS = (
    OVERLAY,
    NAIVE,
    CLONING,
    *(() if why_no_overlay(index=True) else (INDEXED,)),
    *((FUSE,) if shutil.which("fuse-overlayfs") and os.access("/dev/fuse", os.W_OK) else ()),
)
