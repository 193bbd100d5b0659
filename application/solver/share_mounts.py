"""Cache mounts that workers of a cluster give to one another."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import BinaryIO, cast

from img.application.cancellation import StepCanceled
from img.application.layers.mount_records import MOST_LAYERS, MountRecords
from img.application.layers.on_demand import Layers
from img.application.layers.shared import SharedLayers
from img.application.log import logger
from img.application.ports.blob_store import BlobStore, StoreFull
from img.application.ports.cache_mounts import CacheMounts
from img.application.ports.executor import Cancellation
from img.application.ports.index_store import IndexStore
from img.application.ports.layer_archive import LayerArchive, PackedEntry
from img.application.solver.steps.mounts import cache_name
from img.domain.dataclass import dataclass
from img.domain.errors import ImgError
from img.domain.filesystem.changes import Found, changes_of
from img.domain.filesystem.entry import Entry
from img.domain.filesystem.file_index import FileIndex
from img.domain.filesystem.tree import FileTree
from img.domain.graph.operations import Exec
from img.domain.graph.task import KeptMount
from img.domain.oci.chain import Layer

log = logger("cluster")

_CHUNK = 1 << 20
_MOST_FILES = 200_000
_SECOND = 10**9  # nanoseconds; layers have whole seconds


def shared_names(operation: Exec) -> Sequence[str]:
    """Return the names of the cache mounts of a RUN that machines exchange.

    Those that begin with files of a stage are left out: they never begin empty.
    """
    return sorted(
        {
            cache_name(mount, None)
            for mount in operation.mounts
            if mount.type == "cache" and mount.input is None and not mount.read_only
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareMounts:
    """The files of cache mounts as layers in the store of a cluster.

    A mount is a layer with all files, and layers with changes on it, so only changes are packed
    and sent. A mount is a cache: without it steps take longer, so no fault of an exchange is one
    of the step.
    """

    caches: CacheMounts
    archive: LayerArchive
    blobs: BlobStore
    indexes: IndexStore
    layers: Layers
    records: MountRecords

    def given(self, store: str, mounts: Sequence[KeptMount]) -> Callable[[str], Sequence[Layer]]:
        """Return a function from the name of a new cache directory to the layers to unpack."""
        known = {each.name: each for each in mounts}

        def layers_of(name: str) -> Sequence[Layer]:
            mount = known.get(name)
            return () if mount is None else self._fetched(store, mount)

        return layers_of

    def keep(
        self, name: str, shared: SharedLayers, limit: int, cancelled: Cancellation
    ) -> KeptMount | None:
        """Add the files of a cache directory to the store; None if it is empty or too large.

        ``limit`` is in bytes. Raises StepCanceled, ContextError if the files change meanwhile,
        ReservedName, StoreFull, the errors of the shared store.
        """
        before = self._known(shared, name)
        with self.caches.files(name) as files:
            listed = _listed(files, limit, cancelled)
            if not listed:
                return None
            changes, is_whole = _changes(before, listed, cancelled)
            if not changes:
                return KeptMount(name=name, layers=tuple(before))
            packed = self.archive.pack(_packed(changes, listed, cancelled), self.blobs.writer())
        self.indexes.put(packed.layer.diff_id, packed.index)
        shared.offer([packed.layer])
        kept = KeptMount(name=name, layers=(*(() if is_whole else before), packed.layer))
        self.records.note(str(shared.place), kept)
        log.debug("cache mount kept", layers=len(kept.layers), size=packed.layer.descriptor.size)
        return kept

    def _fetched(self, store: str, mount: KeptMount) -> Sequence[Layer]:
        try:
            self.layers.bring(mount.layers)
        except (StepCanceled, StoreFull):
            raise
        except ImgError as error:
            log.warning("cache mount begins empty", reason=error.message)
            return ()
        self.records.note(store, mount)
        return mount.layers

    def _known(self, shared: SharedLayers, name: str) -> Mapping[Layer, FileIndex]:
        """Return the layers of the mount with their entries.

        There are none if an index is missing here, or a layer in the store: then all files are
        packed again.
        """
        known: dict[Layer, FileIndex] = {}
        for layer in self.records.layers(str(shared.place), name):
            index = self.indexes.get(layer.diff_id)
            if index is None or not shared.has(layer):
                return {}
            known[layer] = index
        return known


def _listed(
    files: Iterator[PackedEntry], limit: int, cancelled: Cancellation
) -> Mapping[str, PackedEntry]:
    """Return the files by path, with the times that layers have; none if they are too large."""
    listed: dict[str, PackedEntry] = {}
    size = 0
    for each in files:
        if cancelled.is_set():
            raise StepCanceled
        entry = each.entry
        size += entry.size
        if size > limit or len(listed) >= _MOST_FILES:
            log.debug("cache mount is too large to keep", limit=limit)
            return {}
        listed[entry.path] = each._replace(
            entry=entry._replace(mtime=entry.mtime // _SECOND * _SECOND)
        )
    return listed


def _changes(
    before: Mapping[Layer, FileIndex],
    listed: Mapping[str, PackedEntry],
    cancelled: Cancellation,
) -> tuple[Sequence[Entry], bool]:
    """Return the entries of the next layer, and whether it has all files instead of changes.

    It has all of them if changes are the larger part, or the mount has many layers.
    """
    base = FileTree.of(before.values())
    found = [Found(each.entry) for each in listed.values()]
    if before:
        gone = [each.path for each in base.walk("") if each.path and each.path not in listed]
        changes = changes_of(base, found, gone, lambda path: _digest(listed[path], cancelled))
        is_small = 2 * sum(each.size for each in changes) <= sum(each.entry.size for each in found)
        if not changes or (is_small and len(before) < MOST_LAYERS):
            return changes, False
    return changes_of(FileTree(), found, (), lambda _: ""), True


def _packed(
    changes: Iterable[Entry], listed: Mapping[str, PackedEntry], cancelled: Cancellation
) -> Iterator[PackedEntry]:
    for entry in changes:
        if cancelled.is_set():
            raise StepCanceled
        open_ = listed[entry.path].open if entry.path in listed else None  # not for a deletion
        yield PackedEntry(
            entry=entry, open=None if open_ is None else partial(_stopping, open_, cancelled)
        )


def _digest(file: PackedEntry, cancelled: Cancellation) -> str:
    """Return the sha256 hex of a file of which all attributes are as before.

    Some programs give files with other contents the same times. Raises StepCanceled.
    """
    digest = sha256()
    if file.open is not None:
        with _stopping(file.open, cancelled) as content:
            while chunk := content.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def _stopping(open_: Callable[[], BinaryIO], cancelled: Cancellation) -> BinaryIO:
    return cast(BinaryIO, _Stopping(open_(), cancelled))


class _Stopping:
    """A file that raises StepCanceled: a step may need the mount while a large file is read."""

    def __init__(self, content: BinaryIO, cancelled: Cancellation) -> None:
        self._content = content
        self._cancelled = cancelled

    def __enter__(self) -> "_Stopping":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._content.close()

    def read(self, size: int = -1) -> bytes:
        if self._cancelled.is_set():
            raise StepCanceled
        return self._content.read(size)
