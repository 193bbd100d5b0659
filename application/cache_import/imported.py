"""Results in imported caches (``--cache-from``)."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import field

from img.application.cache_import.read import CacheReader, NoCache
from img.application.log import logger
from img.application.ports.cache_store import CacheRecord
from img.application.ports.progress_sink import ProgressSink
from img.application.ports.registry import RegistryError
from img.application.solver.lookup import Fits
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import ImgError
from img.domain.graph.exported_cache import (
    ExportedCache,
    ExportedRecord,
)
from img.domain.oci.chain import DiffID, Layer
from img.domain.options.cache import CachePlace
from img.domain.progress import VertexDone, VertexStarted, VertexWarning

log = logger("cache import")


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

    An unreadable cache or a missing layer causes a warning, not an error.
    """

    reader: CacheReader
    progress: ProgressSink
    variant: str = ""
    _records: dict[Digest, list[_Found]] = field(default_factory=dict)
    _mounts: dict[str, _Held] = field(default_factory=dict)
    _places: dict[DiffID, CachePlace] = field(default_factory=dict)

    def load(self, places: Iterable[CachePlace]) -> None:
        """Read the caches at ``places``; records of earlier places have precedence."""
        for place in places:
            name = f"importing cache manifest from {place}"
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
        with suppress(RegistryError):
            if self.reader.is_there(place, layer):
                return found.record
        return found.record if self._here(layer, place, found.record.description) else None

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
        for diff_id in layers:
            self._places.setdefault(diff_id, place)
        for record in cache.records:
            layer = layers.get(record.diff_id) if record.diff_id else None
            if record.diff_id is None or layer is not None:
                found = _Found(_record(record, layer), record.keys, place)
                for key in record.keys:
                    self._records.setdefault(key, []).append(found)
        for mount in cache.mounts:
            if (layer := layers.get(mount.diff_id)) is not None:
                self._mounts.setdefault(mount.name, _Held(layer, place))
        log.debug("cache imported", place=str(place), records=len(cache.records))

    def _here(self, layer: Layer, place: CachePlace, what: str) -> bool:
        if self.reader.is_here(layer):
            return True
        try:
            self.reader.fetch(place, layer, f"importing cache layer of {what}")
        except ImgError as error:
            self._warn(f"importing cache manifest from {place}", f"{what}: {error.message}")
            return False
        return True

    def _warn(self, vertex: str, message: str) -> None:
        self.progress.emit(VertexWarning(vertex=vertex, message=message))


def _record(record: ExportedRecord, layer: Layer | None) -> CacheRecord:
    return CacheRecord(
        layer=layer,
        created=record.created,
        description=record.description,
        made_from=dict(record.made_from),
    )


def _with(variant: str) -> str:
    return f"with {variant}" if variant else "without --emulate"
