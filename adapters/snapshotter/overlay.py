"""Root file systems as kernel overlays (kernel overlayfs.rst), without copies."""

import os
import stat
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from img.adapters.linux.file_handles import may_open_handles
from img.adapters.linux.overlay_trial import MOST_LAYERS
from img.adapters.linux.syscalls import OPAQUE_XATTR
from img.adapters.snapshotter.attributes import copy_attributes, digest_of, set_times
from img.adapters.snapshotter.hard_links import restore_links
from img.adapters.snapshotter.lower_layers import LowerLayers
from img.adapters.snapshotter.overlay_layers import OverlayLayers
from img.adapters.snapshotter.placed_files import PlacedFiles
from img.adapters.snapshotter.upper import UpperDirectory
from img.adapters.storage.atomic_file import raise_state_error
from img.adapters.storage.file_entries import open_file
from img.adapters.storage.own_files import make_directories
from img.adapters.storage.ownership import REAL, Ownership
from img.adapters.storage.work_directory import WorkDirectory, bytes_below, sweep
from img.application.ports.layer_archive import LayerArchive
from img.application.ports.snapshotter import (
    SnapshotFacts,
    SnapshotLayer,
    Snapshotter,
    SnapshotterUnavailable,
    Workspace,
)
from img.domain.filesystem.changes import Found, changes_of
from img.domain.filesystem.entry import Entry
from img.domain.filesystem.file_index import FileIndex
from img.domain.filesystem.tree import FileTree
from img.domain.oci.chain import ChainID
from img.domain.process import OverlayRoot, Root


class OverlaySnapshotter(Snapshotter):
    """A directory per layer, stacked by the kernel in the executor's mount namespace.

    ``root/layers`` holds one directory per stack, ``root/work`` one per workspace or unpacking
    (leftovers of crashes are swept), ``root/locks`` one lock per stack that was unpacked. Must run
    as root, or inside the user namespace of the state.
    """

    def __init__(
        self,
        root: Path,
        archive: LayerArchive,
        ownership: Ownership = REAL,
        *,
        index: bool | None = None,
    ) -> None:
        """Create a snapshotter; ``index``: mount overlays with an index; None: if supported."""
        self._root = os.path.abspath(root)
        self._ownership = ownership
        self._index = index
        self._layers = OverlayLayers(self._root, archive, ownership)
        self._opening = threading.Lock()
        self._opened = False

    def prepare(self, layers: Sequence[SnapshotLayer], base: FileTree) -> "OverlayWorkspace":
        if len(layers) > MOST_LAYERS:
            raise SnapshotterUnavailable(
                f"the image has {len(layers)} layers; an overlay takes {MOST_LAYERS}",
                hint="use the naive snapshotter, or a base image with fewer layers",
            )
        try:
            self._open()
            self._layers.hold(layers)
            try:
                return self._on(self._layers.lowers(layers) or [f"{self._root}/empty"], base)
            except BaseException:
                self._layers.leases.release()
                raise
        except OSError as error:
            raise_state_error(error, self._root)

    def chain_ids(self) -> Sequence[ChainID]:
        return self._layers.chain_ids()

    def usage(self, chain_id: ChainID) -> int:
        return bytes_below(self._layers.path(chain_id))

    def remove(self, chain_id: ChainID) -> None:
        try:
            self._layers.remove(chain_id)
        except OSError as error:
            raise_state_error(error, self._root)

    def facts(self, chain_id: ChainID) -> SnapshotFacts:
        size, used = self._noted(chain_id)
        name = os.path.basename(self._layers.path(chain_id))
        return SnapshotFacts(size=size, used=used, in_use=name in self._layers.leases.in_use())

    def size(self, chain_id: ChainID) -> int:
        return self._noted(chain_id)[0]

    def _noted(self, chain_id: ChainID) -> tuple[int, float | None]:
        size, used = self._layers.leases.size_and_last_use(
            os.path.basename(self._layers.path(chain_id))
        )
        return self.usage(chain_id) if size is None else size, used

    def _on(self, lowers: list[str], base: FileTree) -> "OverlayWorkspace":
        work = WorkDirectory.create(f"{self._root}/work")
        try:
            return self._workspace(work, lowers, base)
        except BaseException:
            work.remove()
            raise

    def _workspace(
        self, work: WorkDirectory, lowers: list[str], base: FileTree
    ) -> "OverlayWorkspace":
        return OverlayWorkspace(
            work, lowers, base, self._layers, self._ownership, index=bool(self._index)
        )

    def _open(self) -> None:
        with self._opening:
            if self._opened:
                return
            for name in ("layers", "locks", "uses", "work", "empty"):
                make_directories(f"{self._root}/{name}")
            os.chmod(f"{self._root}/empty", 0o755)
            os.utime(f"{self._root}/empty", ns=(0, 0))
            sweep(f"{self._root}/work")
            self._probe()
            if self._index is None:
                self._index = may_open_handles(self._root)
            self._opened = True

    def _probe(self) -> None:
        """Raise an error for a file system without whiteouts and opaque directories."""
        work = WorkDirectory.create(f"{self._root}/work")
        try:
            os.mknod(f"{work.path}/whiteout", stat.S_IFCHR)
            os.setxattr(work.path, OPAQUE_XATTR, b"y")
        except OSError as error:
            raise SnapshotterUnavailable(
                f"the state directory {self._root} cannot hold an overlay's layers:"
                f" {error.strerror}",
                hint="use the naive snapshotter, or put the state on another file system",
            ) from error
        finally:
            work.remove()


class OverlayWorkspace(Workspace):
    """An upper directory; its root has the attributes of the topmost layer's."""

    def __init__(
        self,
        work: WorkDirectory,
        lowers: list[str],
        base: FileTree,
        layers: OverlayLayers,
        ownership: Ownership,
        *,
        index: bool,
    ) -> None:
        self._directory = work
        self._lowers = lowers
        self._below = LowerLayers(lowers)
        self._index = index
        self._layers = layers
        self._ownership = ownership
        self._held = True
        self._upper = f"{work.path}/upper"
        for name in ("upper", "work", "merged"):
            os.mkdir(f"{work.path}/{name}")
        copy_attributes(lowers[0], self._upper, ownership)
        self._placed = PlacedFiles(self._upper, base, ownership)
        self._placed.place(self._below, index=index)

    @property
    def root(self) -> Root:
        return OverlayRoot(
            lowers=tuple(self._lowers),
            upper=self._upper,
            work=f"{self._directory.path}/work",
            target=f"{self._directory.path}/merged",
            index=self._index,
        )

    def changes(self, base: FileTree) -> tuple[Entry, ...]:
        try:
            self._placed.take_back()
            upper = UpperDirectory(self._upper, self._ownership)
            index = f"{self._directory.path}/work/index"
            if restore_links(self._upper, index, upper, base, self._below, self._ownership):
                upper = UpperDirectory(self._upper, self._ownership)
            return changes_of(base, _found(upper, base), upper.deleted(base), self._digest)
        except OSError as error:
            raise_state_error(error, self._upper)

    def open(self, path: str) -> BinaryIO:
        try:
            return open_file(f"{self._upper}/{path}")
        except FileNotFoundError:
            lower = self._below.find(path)
            if lower is None:
                raise
            return open_file(lower)

    def commit(self, chain_id: ChainID, layer: FileIndex) -> None:
        try:
            set_times(self._upper, layer)
            self._layers.add(chain_id, self._upper, layer)
            self.discard()
        except OSError as error:
            raise_state_error(error, self._upper)

    def discard(self) -> None:
        if self._held:
            self._held = False
            self._layers.leases.release()
        self._directory.remove()

    def _digest(self, path: str) -> str:
        return digest_of(f"{self._upper}/{path}")


def _found(upper: UpperDirectory, base: FileTree) -> Iterator[Found]:
    """Yield the files in the upper directory, and the base's other names of those files."""
    yield from upper.found.values()
    seen: set[str] = set()
    for path in [*upper.found, *upper.deleted(base)]:
        names = base.linked(path)
        if len(names) > 1:
            for name in names - seen:
                entry = base.get(name)
                if upper.is_visible(name) and entry is not None:
                    yield Found(entry, ("below", min(names)))
            seen |= names
