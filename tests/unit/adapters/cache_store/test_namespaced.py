"""Results that differ are found by builds that differ in the same way, and by no others."""

from datetime import UTC, datetime

from img.adapters.cache_store.memory import MemoryCacheStore
from img.adapters.cache_store.namespaced import NamespacedCacheStore
from img.application.ports.cache_store import CacheRecord
from img.domain.digest import Digest

KEY = Digest.of(b"key")
RECORD = CacheRecord(layer=None, created=datetime(2026, 1, 2, tzinfo=UTC))


def test_records_are_found_by_their_like_alone() -> None:
    everybodys = MemoryCacheStore()
    fake = NamespacedCacheStore(everybodys, "fake")

    fake.put([(KEY, RECORD)])

    assert fake.get(KEY) == RECORD
    assert everybodys.get(KEY) is None
    assert NamespacedCacheStore(everybodys, "ids").get(KEY) is None


def test_housekeeping_sees_and_removes_all_records() -> None:
    everybodys = MemoryCacheStore()
    fake = NamespacedCacheStore(everybodys, "fake")
    everybodys.put([(KEY, RECORD)])
    fake.put([(KEY, RECORD)])

    fake.remove([key for key, _ in fake.records()])

    assert list(everybodys.records()) == []
