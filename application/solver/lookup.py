"""Looking up and recording results of steps."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import field, replace
from datetime import datetime, timedelta
from threading import Event
from typing import Protocol

from img.application.layers.on_demand import ImportedLayers
from img.application.ports.blob_store import BlobNotFound, BlobStore
from img.application.ports.cache_store import CacheRecord, CacheStore
from img.application.ports.clock import Clock
from img.application.ports.index_store import IndexStore
from img.application.ports.layer_archive import FormerLayer
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.graph.provenance import Provenance, made_from
from img.domain.oci.chain import Layer

_MOMENT = timedelta(minutes=1)


Fits = Callable[[CacheRecord], bool]
"""Returns whether a record is the result that is looked for."""


def _any(_record: CacheRecord) -> bool:
    return True


class Elsewhere(Protocol):
    """Imported caches."""

    @abstractmethod
    def get(self, key: Digest, fits: Fits) -> CacheRecord | None:
        """Return a result of ``key`` that ``fits``, with a layer that can be used or fetched."""

    @abstractmethod
    def peek(self, key: Digest) -> CacheRecord | None:
        """Return a result of ``key``, even if its layer is not available."""


class Nowhere(Elsewhere):
    """No imported caches."""

    def get(self, key: Digest, fits: Fits) -> CacheRecord | None:
        return None

    def peek(self, key: Digest) -> CacheRecord | None:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """Finds and records results; records with a missing blob are ignored.

    The blob may be in the store of a cluster instead, ``shared``.
    """

    cache: CacheStore
    blobs: BlobStore
    imported: Elsewhere = Nowhere()  # used for keys without a stored result
    shared: ImportedLayers = field(default_factory=ImportedLayers)
    _found: dict[Digest, datetime] = field(default_factory=dict)
    _new: Event = field(default_factory=Event)

    @property
    def has_new(self) -> bool:
        """True once a result was recorded."""
        return self._new.is_set()

    def note_used(self, now: datetime, *, again: bool = False) -> None:
        """Record that the results found so far were used.

        Results with a use in the last minute are skipped, unless ``again`` is set.
        """
        found = dict(self._found)  # other threads may add to it meanwhile
        for key in found:
            self._found.pop(key, None)
        self.cache.touch([k for k, used in found.items() if again or now - used > _MOMENT], now)

    def __call__(self, key: Digest) -> CacheRecord | None:
        """Return the result of a content key, None if there is none."""
        return self._find(key, _any)

    def by_definition(self, key: Digest, inputs: Provenance) -> CacheRecord | None:
        """Return the result of a definition key if it was made from ``inputs``, else None.

        These are the contents of the inputs of the vertex.
        """
        return self._find(key, lambda record: made_from(record.made_from, inputs))

    def _find(self, key: Digest, fits: Fits) -> CacheRecord | None:
        record = self.stored(key, fits)
        if record is None:
            record = self.imported.get(key, fits)
            if record is not None:
                self._put((key, record))
                self._found[key] = record.last_used
        return record

    def stored(self, key: Digest, fits: Fits = _any) -> CacheRecord | None:
        """Return the stored result of ``key``, None if there is none."""
        record = self.cache.get(key)
        if record is None or not (fits(record) and self._is_here(record)):
            return None
        self._found[key] = record.last_used
        return record

    def known(self, key: Digest) -> CacheRecord | None:
        """Return the stored or imported result of ``key``, even if its layer is not available."""
        record = self.cache.get(key)
        if record is not None and self._is_here(record):
            return record
        return self.imported.peek(key)

    def _is_here(self, record: CacheRecord) -> bool:
        if record.layer is None:
            return True
        blob = record.layer.descriptor
        return self.blobs.size(blob.digest) == blob.size or self.shared.has(record.layer)

    def definition_of(self, alias: Digest) -> Digest | None:
        """Return the definition key that ``alias`` stands for, None if there is none."""
        record = self.cache.get_alias(alias)
        if record is None:
            return None
        self._found[alias] = record.last_used
        return record.alias_of

    def remember_alias(self, alias: Digest, key: Digest, now: datetime) -> None:
        """Record ``alias`` as an alias of the definition key ``key``."""
        self._new.set()
        self.cache.put_alias(alias, key, now)

    def remember(
        self, record: CacheRecord, *contents: Digest, definition: Digest | None = None
    ) -> None:
        """Record a result under its content keys, and under its definition key.

        The definition key finds it only with the inputs that it was made from.
        """
        defined = [] if definition is None else [(definition, record)]
        bare = replace(record, made_from={})
        self._put(*defined, *((key, bare) for key in contents))

    def remember_failed(self, key: Digest, layer: Layer, description: str, now: datetime) -> None:
        """Keep the changes of a step that failed, in place of those of its last failure.

        ``key`` is its definition key, which does not find them.
        """
        record = CacheRecord(layer=layer, created=now, description=f"{description} (failed)")
        self._put((Digest.of(f"failed {key}".encode()), record))

    def _put(self, *records: tuple[Digest, CacheRecord]) -> None:
        self._new.set()
        self.cache.put(records)


@dataclass(frozen=True, slots=True, kw_only=True)
class FormerLayers:
    """The last layer with several members of each step, among the results in the cache."""

    cache: CacheStore
    blobs: BlobStore
    indexes: IndexStore
    clock: Clock

    @contextmanager
    def open(self, key: Digest) -> Iterator[FormerLayer | None]:
        """Enter with the last layer of the step ``key``, None if there is none in the store."""
        record = self.cache.get(key)
        layer = None if record is None else record.layer
        table = None if layer is None else self.indexes.members(layer.diff_id)
        if layer is None or table is None or table.blob != layer.descriptor.digest:
            yield None
            return
        try:
            blob = self.blobs.open(table.blob)
        except BlobNotFound:
            yield None
            return
        with blob:
            yield FormerLayer(blob=blob, members=table)

    def note(self, key: Digest, layer: Layer, description: str) -> None:
        """Record the last layer of the step ``key``."""
        now = self.clock.now()
        self.cache.put([(key, CacheRecord(layer=layer, created=now, description=description))])
