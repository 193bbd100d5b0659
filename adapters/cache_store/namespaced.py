"""Results that are not everybody's, beside those that are."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from img.application.ports.cache_store import CacheRecord, CacheStore
from img.domain.digest import Digest


class ApartCacheStore(CacheStore):
    """The records of builds that are ``different``, in the store of all others.

    Housekeeping sees all records, under the keys they have there.
    """

    def __init__(self, store: CacheStore, different: str) -> None:
        self._store = store
        self._different = different

    def get(self, key: Digest) -> CacheRecord | None:
        return self._store.get(self._own(key))

    def put(self, records: Sequence[tuple[Digest, CacheRecord]]) -> None:
        self._store.put([(self._own(key), record) for key, record in records])

    def touch(self, keys: Sequence[Digest], now: datetime) -> None:
        self._store.touch([self._own(key) for key in keys], now)

    def records(self) -> Iterator[tuple[Digest, CacheRecord]]:
        return self._store.records()

    def remove(self, keys: Sequence[Digest]) -> None:
        self._store.remove(keys)

    def _own(self, key: Digest) -> Digest:
        return Digest.of(f"{self._different}\0{key}".encode())
