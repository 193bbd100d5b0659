"""Results that exist already."""

from datetime import datetime

from img.application.ports.blob_store import BlobStore
from img.application.ports.cache_store import CacheRecord, CacheStore
from img.domain.dataclass import dataclass
from img.domain.digest import Digest, InvalidDigest


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """Finds and remembers results; a record whose blob is gone is no result."""

    cache: CacheStore
    blobs: BlobStore

    def __call__(self, key: Digest) -> CacheRecord | None:
        """Return the result of ``key`` if it can be used."""
        record = self.cache.get(key)
        if record is None or record.layer is None:
            return record
        stored = self.blobs.size(record.layer.descriptor.digest)
        return record if stored == record.layer.descriptor.size else None

    def meaning(self, alias: Digest) -> Digest | None:
        """Return the key that ``alias`` was said to stand for."""
        record = self.cache.get(alias)
        if record is None:
            return None
        try:
            return Digest.parse(record.description)
        except InvalidDigest:
            return None

    def remember_alias(self, alias: Digest, key: Digest, now: datetime) -> None:
        """Let ``alias`` stand for ``key``; where that has no record, it leads nowhere."""
        record = CacheRecord(layer=None, created=now, description=str(key))
        self.cache.put([(alias, record)])

    def remember(self, record: CacheRecord, *keys: Digest) -> None:
        """Let ``keys`` find ``record`` from now on."""
        self.cache.put([(key, record) for key in dict.fromkeys(keys)])
