"""The cache namespace of inexact builds."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from img.application.ports.cache_store import CacheRecord, CacheStore
from img.domain.digest import Digest


class NamespacedCacheStore(CacheStore):
    """The records of builds of the kind ``namespace``, in the store of all builds.

    Housekeeping sees all records, under the keys in that store.
    """

    def __init__(self, store: CacheStore, namespace: str) -> None:
        self._store = store
        self._namespace = namespace

    def get(self, key: Digest) -> CacheRecord | None:
        return self._store.get(self._key_in_namespace(key))

    def put(self, records: Sequence[tuple[Digest, CacheRecord]]) -> None:
        self._store.put([(self._key_in_namespace(key), record) for key, record in records])

    def touch(self, keys: Sequence[Digest], now: datetime) -> None:
        self._store.touch([self._key_in_namespace(key) for key in keys], now)

    def records(self) -> Iterator[tuple[Digest, CacheRecord]]:
        return self._store.records()

    def remove(self, keys: Sequence[Digest]) -> None:
        self._store.remove(keys)

    def _key_in_namespace(self, key: Digest) -> Digest:
        return Digest.of(f"{self._namespace}\0{key}".encode())
