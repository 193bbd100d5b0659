"""Cache records in a dict."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from img.application.ports.cache_store import CacheRecord, CacheStore
from img.domain.digest import Digest


class MemoryCacheStore(CacheStore):
    """Records that are lost with the process."""

    def __init__(self) -> None:
        self._records: dict[Digest, CacheRecord] = {}

    def get(self, key: Digest) -> CacheRecord | None:
        return self._records.get(key)

    def put(self, records: Sequence[tuple[Digest, CacheRecord]]) -> None:
        for key, record in records:
            self._records.pop(key, None)
            self._records[key] = record

    def touch(self, keys: Sequence[Digest], now: datetime) -> None:
        for key in keys:
            if (record := self._records.get(key)) is not None:
                self._records[key] = replace(record, used=now, uses=record.uses + 1)

    def records(self) -> Iterator[tuple[Digest, CacheRecord]]:
        yield from sorted(self._records.items(), key=lambda item: item[1].created)

    def remove(self, keys: Sequence[Digest]) -> None:
        for key in keys:
            self._records.pop(key, None)
