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
from img.adapters.snapshotter.snapshot_leases import Uses
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
_AT_ONCE = 3  # layers; more only wait for each other's disk
_SMALL = 64 << 10  # bytes of a file; larger ones take most of their time without the GIL
_QUICK_S = 100e-6  # to make a file; several times that over a network


class OverlayLayers:
    """``layers/<algorithm>-<hex of the chain ID>``: the top layer of each stack, and no more.

    Each directory's own attributes are those of the whole stack's root.
    """

    def __init__(self, root: str, archive: LayerArchive, ownership: Ownership) -> None:
        self._ownership = ownership
        self._layers = f"{root}/layers"
        self._locks = f"{root}/locks"
        self._work = f"{root}/work"
        self._archive = archive
        self._turn = threading.Lock()
        self.uses = Uses(root)

    def path(self, chain_id: ChainID) -> str:
        """Return where the stack's top layer is or will be."""
        return f"{self._layers}/{chain_id.algorithm}-{chain_id.encoded}"

    def lowers(self, layers: Sequence[SnapshotLayer]) -> list[str]:
        """Return the directories to mount for ``layers``, topmost first."""
        lowers = []
        for layer in reversed(layers):
            lowers.append(self.path(layer.chain_id))
            # The kernel looks for this mark on no layer's root.
            if OPAQUE_XATTR in xattr_names(lowers[-1]):
                break
        return lowers

    def chain_ids(self) -> list[ChainID]:
        """Return the stacks that are here."""
        if not os.path.isdir(self._layers):
            return []
        names = (name.partition("-") for name in sorted(os.listdir(self._layers)))
        return [ChainID(Digest(algorithm, encoded)) for algorithm, _, encoded in names]

    def add(self, chain_id: ChainID, directory: str, layer: FileIndex) -> None:
        """Take ``directory`` over as the stack's top layer, unless there is one already."""
        publish(directory, self.path(chain_id))
        self.uses.touch(os.path.basename(self.path(chain_id)), _room_of(layer))

    def remove(self, chain_id: ChainID) -> None:
        """Delete the stack's top layer unless it is in use; nobody ever sees a part of it."""
        path = self.path(chain_id)
        if not os.path.isdir(path):
            return
        trash = WorkDirectory.create(self._work)
        with self.uses.removing(os.path.basename(path)) as unused:
            if unused and os.path.isdir(path):
                publish(path, f"{trash.path}/layer")
        trash.remove()

    def hold(self, layers: Sequence[SnapshotLayer]) -> None:
        """Unpack those of ``layers`` that are missing, and keep all until ``uses.done``."""
        names = [os.path.basename(self.path(layer.chain_id)) for layer in layers]
        while True:
            self.ensure(layers)
            with self.uses.needing(names):
                complete = all(self._has(layer) for layer in layers)
            if complete:
                break
            self.uses.done()  # somebody removed one just now
        for name in names:
            self.uses.touch(name)

    def ensure(self, layers: Sequence[SnapshotLayer]) -> None:
        """Unpack those of ``layers``, lowest first, that are missing; several at a time."""
        missing = {i for i, layer in enumerate(layers) if not self._has(layer)}
        if not missing:
            return
        below = FileTree()
        running: deque[Future[None]] = deque()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for number in range(max(missing) + 1):
                if number in missing:
                    linked = _links_below(layers[number].index, below)
                    # Only so many at once, each keeps a tree; and a lower layer must be there
                    # before something in it can be linked to.
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
        name = os.path.basename(self.path(layer.chain_id))
        with Lock(f"{self._locks}/{name}"):
            if self._has(layer):
                return
            work = WorkDirectory.create(self._work)
            try:
                directory = f"{work.path}/layer"
                os.mkdir(directory)
                with self._turn_for(layer.index):
                    self._fill(directory, job)
                publish(directory, self.path(layer.chain_id))
                self.uses.touch(name, _room_of(layer.index))
            finally:
                work.remove()

    def _turn_for(self, layer: FileIndex) -> AbstractContextManager[object]:
        """Return what lets only one layer of small files be unpacked at a time, if that is quicker.

        Each call of the system passes the GIL on. Where a file is made sooner than that, two
        threads take nearly twice as long as one after the other.
        """
        if _has_small_files(layer) and _makes_files_quickly(self._work):
            return self._turn
        return nullcontext()

    def _fill(self, directory: str, job: "_Unpacking") -> None:
        layer = job.layers[job.number]
        if job.linked:
            lowers = [self.path(lower.chain_id) for lower in job.layers[: job.number][::-1]]
            _bring_up(directory, job, LowerLayers(lowers), self._ownership)
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


class _Unpacking:
    """One layer to unpack: the stack, its number in it, the tree below, and its links to that."""

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
    import tempfile  # only now: it takes a moment

    start = time.perf_counter()
    with tempfile.TemporaryFile(dir=directory, buffering=0):
        return time.perf_counter() - start


def _room_of(layer: FileIndex) -> int:
    """Return about how many bytes the files of ``layer`` take on disk."""
    return sum(_BLOCK + (entry.size + _BLOCK - 1) // _BLOCK * _BLOCK for entry in layer)


def implied_by(below: FileTree) -> Callable[[str], Entry | None]:
    """Return what tells the attributes of directories that a layer only implies."""

    def implied(path: str) -> Entry | None:
        entry = below.get(path)
        return entry if entry is not None and entry.kind == DIRECTORY else None

    return implied


def root_of(layer: FileIndex, below: FileTree) -> Entry:
    """Return the root directory's entry under one more layer."""
    for entry in layer:
        if not entry.path:
            return entry
    root = below.get("")
    assert root is not None
    return root


def _links_below(layer: FileIndex, below: FileTree) -> list[list[str]]:
    """Return the names of the files below that the layer makes more hard links to.

    Legal, but no directory of its own can hold such a link (image-spec layer.md, "Hardlinks").
    Names that the layer itself gives to something else are left out.
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


def _bring_up(directory: str, job: _Unpacking, below: LowerLayers, ownership: Ownership) -> None:
    """Copy the files of lower layers that the layer links to into ``directory``, all their names.

    What is missing is left out: the archive says what is wrong with the link.
    """
    links = UpperLinks(directory, job.below, ownership)
    for names in job.linked:
        if (source := below.find(names[0])) is not None:
            first = links.place(names[0])
            copy_file(source, first, os.lstat(source), owners=ownership, given=ownership)
            for name in names[1:]:
                links.link(first, name)
    links.finish()
