"""Results in imported caches (``--cache-from``)."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from threading import Lock

from img.application.cache_import.read import CacheReader, NoCache
from img.application.cancellation import StepCanceled
from img.application.layers.on_demand import ImportedLayers, LayerLost, Watched
from img.application.log import logger
from img.application.ports.blob_store import StoreFull
from img.application.ports.cache_store import CacheRecord
from img.application.ports.progress_sink import ProgressSink
from img.application.ports.registry import RegistryError
from img.application.ports.remote_cache import RemoteBlobNotFound, RemoteCacheError
from img.application.solver.lookup import Fits
from img.application.threads import gather, threads
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import ImgError
from img.domain.graph.exported_cache import (
    ExportedCache,
    ExportedRecord,
)
from img.domain.oci.chain import DiffID, Layer
from img.domain.options.cache import CachePlace
from img.domain.options.remote_cache import ActionsCache, ObjectStoreCache, RemotePlace
from img.domain.progress import VertexDone, VertexStarted, VertexWarning

log = logger("cache import")

_PARALLEL = 4  # layers at a time, as for images


@dataclass(frozen=True, slots=True)
class _Found:
    """A record, and the place of its layer."""

    record: CacheRecord
    keys: tuple[Digest, ...]
    place: CachePlace


@dataclass(frozen=True, slots=True)
class _Held:
    """The files of a cache directory, and the place of their layer."""

    layer: Layer
    place: CachePlace


@dataclass(slots=True, kw_only=True)
class ImportedCaches:
    """The records of all caches that a build uses; their layers are fetched when needed.

    An unreadable cache or a missing layer causes a warning, not an error. A remote cache that
    fails once is not asked again: each failure may take as long as all its retries.
    """

    reader: CacheReader
    layers: ImportedLayers
    progress: ProgressSink
    variant: str = ""
    _records: dict[Digest, list[_Found]] = field(default_factory=dict)
    _mounts: dict[str, _Held] = field(default_factory=dict)
    _places: dict[DiffID, CachePlace] = field(default_factory=dict)
    _remote: dict[Digest, RemotePlace] = field(default_factory=dict)  # by digests of blobs
    _lost: set[Digest] = field(default_factory=set)  # blobs that a remote cache did not give
    _given_up: set[str] = field(default_factory=set)  # remote caches that failed
    _loaded: set[CachePlace] = field(default_factory=set)
    _loading: Lock = field(default_factory=Lock)

    def load(self, places: Iterable[CachePlace]) -> None:
        """Read the caches at ``places``, each once; records of earlier places have precedence."""
        self.layers.bring = self.bring
        with self._loading:
            self._load([place for place in places if place not in self._loaded])

    def _load(self, places: Iterable[CachePlace]) -> None:
        for place in places:
            self._loaded.add(place)
            name = _importing(place)
            self.progress.emit(VertexStarted(vertex=name, name=name))
            try:
                for cache, layers in self.reader.caches(place):
                    self._take(place, cache, layers)
            except ImgError as error:
                self._warn(name, f"cache not used: {error.message}")
            self.progress.emit(VertexDone(vertex=name))

    def get(self, key: Digest, fits: Fits) -> CacheRecord | None:
        """Return a record of ``key`` that ``fits``, with a layer that can be used or fetched."""
        for found in self._records.get(key, ()):
            if fits(found.record) and (record := self._usable(found)) is not None:
                return record
        return None

    def _usable(self, found: _Found) -> CacheRecord | None:
        layer, place = found.record.layer, found.place
        if layer is None:
            return found.record
        if isinstance(place, ActionsCache | ObjectStoreCache):
            return found.record if self._is_offered(place, layer) else None
        with suppress(RegistryError):
            if self.reader.is_there(place, layer):
                return found.record
        return found.record if self._here(layer, place, found.record.description) else None

    def _is_offered(self, place: RemotePlace, layer: Layer) -> bool:
        """Return whether a remote cache has the layer; ``bring`` fetches it."""
        if layer.descriptor.digest in self._lost or str(place) in self._given_up:
            return self.reader.is_here(layer)
        try:
            return self.reader.is_there(place, layer)
        except RemoteCacheError as error:
            self._give_up(place, error)
            return False

    def bring(self, layers: Sequence[Layer], watched: Watched) -> None:
        """Fetch those of ``layers`` that remote caches hold, several at a time.

        A cache that failed is not asked again, nor one for a layer that it did not give. Raises
        LayerLost for a layer that cannot be fetched, StoreFull, StepCanceled.
        """
        held = [
            (place, layer)
            for layer in layers
            if (place := self._remote.get(layer.descriptor.digest)) is not None
            and layer.descriptor.digest not in self._lost
            and str(place) not in self._given_up
        ]
        if not held:
            return
        with threads(min(_PARALLEL, len(held)), "cache") as pool:
            gather([pool.submit(self._bring, place, layer, watched) for place, layer in held])

    def _bring(self, place: RemotePlace, layer: Layer, watched: Watched) -> None:
        digest = layer.descriptor.digest
        try:
            self.reader.remote.fetch(place, layer, f"importing cache layer {digest} of", watched)
        except (StoreFull, StepCanceled):
            raise
        except ImgError as error:
            self._lost.add(digest)
            if isinstance(error, RemoteCacheError) and not isinstance(error, RemoteBlobNotFound):
                self._given_up.add(str(place))
            raise LayerLost(digest, error.message) from None

    def peek(self, key: Digest) -> CacheRecord | None:
        """Return the first record of ``key``, even if its layer is not available."""
        found = self._records.get(key)
        return found[0].record if found else None

    def keys(self, key: Digest, layer: Layer | None) -> tuple[Digest, ...]:
        """Return all keys of the records with ``layer`` that ``key`` finds."""
        wanted = layer and layer.diff_id
        found = [
            each
            for each in self._records.get(key, ())
            if (each.record.layer and each.record.layer.diff_id) == wanted
        ]
        return tuple(dict.fromkeys(each for one in found for each in one.keys))

    def fetched(self, layer: Layer) -> bool:
        """Fetch the layer of a record into the store; return whether it is there."""
        if self.reader.is_here(layer):
            return True
        place = self._places.get(layer.diff_id)
        return place is not None and self._here(layer, place, str(layer.descriptor.digest))

    def mount(self, name: str) -> Layer | None:
        """Return the layer with the files of the cache directory ``name``, stored, else None."""
        held = self._mounts.get(name)
        if held is None or not self._here(held.layer, held.place, "a cache mount"):
            return None
        return held.layer

    def _take(
        self, place: CachePlace, cache: ExportedCache, layers: Mapping[DiffID, Layer]
    ) -> None:
        if cache.variant != self.variant:
            raise NoCache(f"the cache is one of builds {_with(cache.variant)}")
        for diff_id, layer in layers.items():
            self._places.setdefault(diff_id, place)
            if isinstance(place, ActionsCache | ObjectStoreCache):
                self._remote.setdefault(layer.descriptor.digest, place)
        for record in cache.records:
            own = layers.get(record.diff_id) if record.diff_id else None
            if record.diff_id is None or own is not None:
                found = _Found(_record(record, own), record.keys, place)
                for key in record.keys:
                    self._records.setdefault(key, []).append(found)
        for mount in cache.mounts:
            if (held := layers.get(mount.diff_id)) is not None:
                self._mounts.setdefault(mount.name, _Held(held, place))
        log.debug("cache imported", place=str(place), records=len(cache.records))

    def _here(self, layer: Layer, place: CachePlace, what: str) -> bool:
        if self.reader.is_here(layer):
            return True
        if layer.descriptor.digest in self._lost or str(place) in self._given_up:
            return False
        try:
            self.reader.fetch(place, layer, f"importing cache layer of {what}")
        except RemoteBlobNotFound as error:
            self._lost.add(error.digest)
            self._warn(_importing(place), f"{what}: {error.message}")
            return False
        except RemoteCacheError as error:
            self._give_up(place, error)
            return False
        except ImgError as error:
            self._warn(_importing(place), f"{what}: {error.message}")
            return False
        return True

    def _give_up(self, place: CachePlace, error: RemoteCacheError) -> None:
        self._given_up.add(str(place))
        self._warn(_importing(place), f"cache not used any more: {error.message}")

    def _warn(self, vertex: str, message: str) -> None:
        self.progress.emit(VertexWarning(vertex=vertex, message=message))


def _record(record: ExportedRecord, layer: Layer | None) -> CacheRecord:
    return CacheRecord(
        layer=layer,
        created=record.created,
        description=record.description,
        made_from=dict(record.made_from),
    )


def _importing(place: CachePlace) -> str:
    return f"importing cache manifest from {place}"


def _with(variant: str) -> str:
    return f"with {variant}" if variant else "without --emulate"
