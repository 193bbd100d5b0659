"""Results that exist already."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import field, replace
from datetime import datetime, timedelta
from threading import Event
from typing import Protocol

from img.application.ports.blob_store import BlobStore
from img.application.ports.cache_store import CacheRecord, CacheStore
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.graph.provenance import Provenance, made_from

_MOMENT = timedelta(minutes=1)


Fits = Callable[[CacheRecord], bool]
"""Tells whether a record is of the result that is looked for."""


def _any(_record: CacheRecord) -> bool:
    return True


class Elsewhere(Protocol):
    """Results in caches of other machines."""

    @abstractmethod
    def get(self, key: Digest, fits: Fits) -> CacheRecord | None:
        """Return a result of ``key`` that ``fits`` and can be used.

        That is one whose layer is here or can be fetched.
        """

    @abstractmethod
    def peek(self, key: Digest) -> CacheRecord | None:
        """Return a result of ``key``, its layer wherever it is."""


class Nowhere(Elsewhere):
    """There are no other machines."""

    def get(self, key: Digest, fits: Fits) -> CacheRecord | None:
        return None

    def peek(self, key: Digest) -> CacheRecord | None:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """Finds and remembers results; a record whose blob is gone is no result."""

    cache: CacheStore
    blobs: BlobStore
    imported: Elsewhere = Nowhere()  # asked for what is not here
    _found: dict[Digest, datetime] = field(default_factory=dict)
    _new: Event = field(default_factory=Event)

    @property
    def has_new(self) -> bool:
        """Whether there are results now that were not here before."""
        return self._new.is_set()

    def note_used(self, now: datetime, *, again: bool = False) -> None:
        """Note that what was found so far was used.

        What was noted a moment ago is noted ``again`` only if that is asked for.
        """
        found = dict(self._found)  # other threads may add to it meanwhile
        for key in found:
            self._found.pop(key, None)
        self.cache.touch([k for k, used in found.items() if again or now - used > _MOMENT], now)

    def __call__(self, key: Digest) -> CacheRecord | None:
        """Return the result of ``key`` if it can be used. A content key says all that decides."""
        return self._find(key, _any)

    def by_definition(self, key: Digest, inputs: Provenance) -> CacheRecord | None:
        """Return the result of a definition key if it was made from ``inputs`` and can be used.

        These are the contents of what the vertex stands on and takes files from.
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
        """Return the result of ``key`` that is in this store."""
        record = self.cache.get(key)
        if record is None or not (fits(record) and self._is_here(record)):
            return None
        self._found[key] = record.last_used
        return record

    def known(self, key: Digest) -> CacheRecord | None:
        """Return the result of ``key``, wherever its layer is."""
        record = self.cache.get(key)
        if record is not None and self._is_here(record):
            return record
        return self.imported.peek(key)

    def _is_here(self, record: CacheRecord) -> bool:
        if record.layer is None:
            return True
        blob = record.layer.descriptor
        return self.blobs.size(blob.digest) == blob.size

    def definition_of(self, alias: Digest) -> Digest | None:
        """Return the definition key that ``alias`` stands for, None where there is none."""
        record = self.cache.get_alias(alias)
        if record is None:
            return None
        self._found[alias] = record.last_used
        return record.alias_of

    def remember_alias(self, alias: Digest, key: Digest, now: datetime) -> None:
        """Let ``alias`` stand for the definition key ``key``."""
        self._new.set()
        self.cache.put_alias(alias, key, now)

    def remember(
        self, record: CacheRecord, *contents: Digest, definition: Digest | None = None
    ) -> None:
        """Let the keys of its contents find ``record`` from now on.

        And the ``definition``, where its inputs hold what the record was made from.
        """
        defined = [] if definition is None else [(definition, record)]
        bare = replace(record, made_from={})
        self._put(*defined, *((key, bare) for key in contents))

    def _put(self, *records: tuple[Digest, CacheRecord]) -> None:
        self._new.set()
        self.cache.put(records)
