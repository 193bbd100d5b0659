"""Results that exist already."""

from abc import abstractmethod
from dataclasses import field
from datetime import datetime, timedelta
from typing import Protocol

from img.application.ports.blob_store import BlobStore
from img.application.ports.cache_store import CacheRecord, CacheStore
from img.domain.dataclass import dataclass
from img.domain.digest import Digest, InvalidDigest

_MOMENT = timedelta(minutes=1)


class Elsewhere(Protocol):
    """Results in caches of other machines."""

    @abstractmethod
    def get(self, key: Digest) -> CacheRecord | None:
        """Return the result of ``key`` if it can be used: its layer is here or can be fetched."""

    @abstractmethod
    def peek(self, key: Digest) -> CacheRecord | None:
        """Return the result of ``key``, its layer wherever it is."""


class Nowhere(Elsewhere):
    """There are no other machines."""

    def get(self, key: Digest) -> CacheRecord | None:
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

    def note_used(self, now: datetime) -> None:
        """Note that what was found so far was used; not again what was noted a moment ago."""
        keys = [key for key, used in self._found.items() if now - used > _MOMENT]
        self._found.clear()
        self.cache.touch(keys, now)

    def __call__(self, key: Digest) -> CacheRecord | None:
        """Return the result of ``key`` if it can be used."""
        record = self._record(key)
        if record is not None and self._is_here(record):
            return record
        imported = self.imported.get(key)
        if imported is not None:
            self.cache.put([(key, imported)])
        return imported

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

    def meaning(self, alias: Digest) -> Digest | None:
        """Return the key that ``alias`` was said to stand for."""
        record = self._record(alias)
        if record is None:
            return None
        try:
            return Digest.parse(record.description)
        except InvalidDigest:
            return None

    def _record(self, key: Digest) -> CacheRecord | None:
        record = self.cache.get(key)
        if record is not None:
            self._found[key] = record.used or record.created
        return record

    def remember_alias(self, alias: Digest, key: Digest, now: datetime) -> None:
        """Let ``alias`` stand for ``key``; where that has no record, it leads nowhere."""
        record = CacheRecord(layer=None, created=now, description=str(key))
        self.cache.put([(alias, record)])

    def remember(self, record: CacheRecord, *keys: Digest) -> None:
        """Let ``keys`` find ``record`` from now on."""
        self.cache.put([(key, record) for key in dict.fromkeys(keys)])
