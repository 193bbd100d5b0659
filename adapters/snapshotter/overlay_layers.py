"""Layers as directories that the kernel's overlay can stack."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext

from img.adapters.linux.syscalls import OPAQUE_XATTR
from img.adapters.snapshotter.attributes import set_directory
from img.adapters.snapshotter.copies import copy_file
from img.adapters.snapshotter.lower_layers import LowerLayers
from img.adapters.snapshotter.snapshot_leases import SnapshotLeases
from img.adapters.snapshotter.upper_links import UpperLinks
from img.adapters.storage.file_entries import xattr_names
from img.adapters.storage.own_files import Lock
from img.adapters.storage.ownership import Ownership
from img.adapters.storage.work_directory import WorkDirectory, publish
from img.application.ports.layer_archive import LayerArchive
from img.application.ports.snapshotter import SnapshotLayer
from img.domain.digest import Digest
from img.domain.filesystem import paths
from img.domain.filesystem.entry import DIRECTORY, FILE, HARDLINK, Entry
from img.domain.filesystem.file_index import FileIndex
from img.domain.filesystem.tree import FileTree
from img.domain.oci.chain import ChainID

_BLOCK = 4096
_AT_ONCE = 3  # layers; more would only wait for the disk
_SMALL = 64 << 10  # bytes of a file; larger ones take most of their time without the GIL
_QUICK_S = 100e-6  # to create a file; several times that over a network


class OverlayLayers:
    """``layers/<algorithm>-<hex of the chain ID>``: the top layer of each stack.

    The attributes of each directory itself are those of the whole stack's root.
    """

    def __init__(self, root: str, archive: LayerArchive, ownership: Ownership) -> None:
        self._ownership = ownership
        self._layers = f"{root}/layers"
        self._locks = f"{root}/locks"
        self._work = f"{root}/work"
        self._archive = archive
        self._turn = threading.Lock()
        self._opaque: dict[ChainID, bool] = {}
        self.leases = SnapshotLeases(root)

    def path(self, chain_id: ChainID) -> str:
        """Return the path of the stack's top layer, which may not exist yet."""
        return f"{self._layers}/{_name_of(chain_id)}"

    def lowers(self, layers: Sequence[SnapshotLayer]) -> list[str]:
        """Return the directories to mount for ``layers``, topmost first."""
        lowers = []
        for layer in reversed(layers):
            lowers.append(self.path(layer.chain_id))
            # The kernel ignores this mark on the root of a layer.
            if self._is_opaque(layer.chain_id):
                break
        return lowers

    def _is_opaque(self, chain_id: ChainID) -> bool:
        known = self._opaque.get(chain_id)
        if known is None:  # a stored layer never changes
            known = self._opaque[chain_id] = OPAQUE_XATTR in xattr_names(self.path(chain_id))
        return known

    def chain_ids(self) -> list[ChainID]:
        """Return the stacks that are stored."""
        if not os.path.isdir(self._layers):
            return []
        names = (name.partition("-") for name in sorted(os.listdir(self._layers)))
        return [ChainID(Digest(algorithm, encoded)) for algorithm, _, encoded in names]

    def add(self, chain_id: ChainID, directory: str, layer: FileIndex) -> None:
        """Move ``directory`` into place as the stack's top layer, unless there is one already."""
        publish(directory, self.path(chain_id))
        self.leases.touch(_name_of(chain_id), _room_of(layer))

    def remove(self, chain_id: ChainID) -> None:
        """Delete the stack's top layer unless it is in use; it disappears as a whole."""
        path = self.path(chain_id)
        if not os.path.isdir(path):
            return
        trash = WorkDirectory.create(self._work)
        with self.leases.removing(os.path.basename(path)) as unused:
            if unused and os.path.isdir(path):
                publish(path, f"{trash.path}/layer")
        trash.remove()

    def hold(self, layers: Sequence[SnapshotLayer]) -> None:
        """Unpack the missing ones of ``layers``, and keep all until ``leases.release``."""
        names = [_name_of(layer.chain_id) for layer in layers]
        while True:
            with self.leases.acquire(names):
                complete = all(self._has(layer) for layer in layers)
            if complete:
                break
            self.leases.release()
            self.ensure(layers)  # until then another process may remove some
        for name in names:
            self.leases.touch(name)

    def ensure(self, layers: Sequence[SnapshotLayer]) -> None:
        """Unpack the missing ones of ``layers``, lowest first; several at a time."""
        missing = {i for i, layer in enumerate(layers) if not self._has(layer)}
        if not missing:
            return
        below = FileTree()
        running: deque[Future[None]] = deque()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for number in range(max(missing) + 1):
                if number in missing:
                    linked = _links_below(layers[number].index, below)
                    # Limited, because each keeps a tree; and a lower layer must exist before files
                    # in it can be linked to.
                    while len(running) >= (1 if linked else _AT_ONCE):
                        running.popleft().result()
                    job = _Unpacking(layers=layers, number=number, below=below, linked=linked)
                    running.append(pool.submit(self._unpack, job))
                if number < max(missing):
                    below = below.with_layer(layers[number].index)
            for future in running:
                future.result()

    def _has(self, layer: SnapshotLayer) -> bool:
        return os.path.isdir(self.path(layer.chain_id))

    def _unpack(self, job: "_Unpacking") -> None:
        layer = job.layers[job.number]
        name = _name_of(layer.chain_id)
        with Lock(f"{self._locks}/{name}"):
            if self._has(layer):
                return
            work = WorkDirectory.create(self._work)
            try:
                directory = f"{work.path}/layer"
                os.mkdir(directory)
                with self._lock_for(layer.index):
                    self._fill(directory, job)
                publish(directory, self.path(layer.chain_id))
                self.leases.touch(name, _room_of(layer.index))
            finally:
                work.remove()

    def _lock_for(self, layer: FileIndex) -> AbstractContextManager[object]:
        """Return a lock that lets one layer of small files be unpacked at a time, or none.

        Each system call releases the GIL. If creating a file takes less time than that, two threads
        take nearly twice as long as one after the other.
        """
        if _has_small_files(layer) and _makes_files_quickly(self._work):
            return self._turn
        return nullcontext()

    def _fill(self, directory: str, job: "_Unpacking") -> None:
        layer = job.layers[job.number]
        if job.linked:
            lowers = [self.path(lower.chain_id) for lower in job.layers[: job.number][::-1]]
            _copy_up(directory, job, LowerLayers(lowers), self._ownership)
        with layer.open() as blob:
            self._archive.unpack(
                blob,
                directory,
                overlay=True,
                place=job.below.place,
                implied=implied_by(job.below),
                index=layer.index,
            )
        set_directory(directory, root_of(layer.index, job.below), self._ownership)


def _name_of(chain_id: ChainID) -> str:
    return f"{chain_id.algorithm}-{chain_id.encoded}"


class _Unpacking:
    """A layer to unpack: the stack, its number in it, the tree below, and its links to that."""

    __slots__ = ("below", "layers", "linked", "number")

    def __init__(
        self,
        *,
        layers: Sequence[SnapshotLayer],
        number: int,
        below: FileTree,
        linked: list[list[str]],
    ) -> None:
        self.layers = layers
        self.number = number
        self.below = below
        self.linked = linked


def _has_small_files(layer: FileIndex) -> bool:
    sizes = [entry.size for entry in layer if entry.kind == FILE]
    return sum(sizes) < len(sizes) * _SMALL


def _makes_files_quickly(directory: str) -> bool:
    return min(_seconds_for_a_file(directory) for _ in range(5)) < _QUICK_S


def _seconds_for_a_file(directory: str) -> float:
    import tempfile  # only now: it is slow to import

    start = time.perf_counter()
    with tempfile.TemporaryFile(dir=directory, buffering=0):
        return time.perf_counter() - start


def _room_of(layer: FileIndex) -> int:
    """Return the approximate disk usage of the files of ``layer`` in bytes."""
    return sum(_BLOCK + (entry.size + _BLOCK - 1) // _BLOCK * _BLOCK for entry in layer)


def implied_by(below: FileTree) -> Callable[[str], Entry | None]:
    """Return a function for the attributes of directories that a layer only implies."""

    def implied(path: str) -> Entry | None:
        entry = below.get(path)
        return entry if entry is not None and entry.kind == DIRECTORY else None

    return implied


def root_of(layer: FileIndex, below: FileTree) -> Entry:
    """Return the root directory's entry with one more layer."""
    for entry in layer:
        if not entry.path:
            return entry
    root = below.get("")
    assert root is not None
    return root


def _links_below(layer: FileIndex, below: FileTree) -> list[list[str]]:
    """Return the names of the files below that the layer adds hard links to.

    Legal, but a separate directory cannot hold such a link (image-spec layer.md, "Hardlinks").
    Names that the layer itself replaces are left out.
    """
    links = [entry for entry in layer if entry.kind == HARDLINK]
    if not links:
        return []
    own = {below.place(entry.path) for entry in layer}
    targets = {below.place(paths.clean(entry.link)) for entry in links} - own
    found = []
    for target in sorted(targets):
        entry = below.get(target)
        if entry is not None and entry.kind != DIRECTORY:
            others = below.linked(target) - own - {target}
            found.append([target, *sorted(name for name in others if not _hidden(name, own))])
    return found


def _hidden(name: str, own: set[str]) -> bool:
    whiteouts = (
        f"{paths.parent(path)}/.wh.{paths.name(path)}".lstrip("/")
        for path in [*paths.ancestors(name), name]
    )
    return not own.isdisjoint(whiteouts)


def _copy_up(directory: str, job: _Unpacking, below: LowerLayers, ownership: Ownership) -> None:
    """Copy the files that the layer links to from lower layers, with all their names.

    Missing files are left out: the archive reports the broken link.
    """
    links = UpperLinks(directory, job.below, ownership)
    for names in job.linked:
        if (source := below.find(names[0])) is not None:
            first = links.place(names[0])
            copy_file(source, first, os.lstat(source), owners=ownership, given=ownership)
            for name in names[1:]:
                links.link(first, name)
    links.finish()
