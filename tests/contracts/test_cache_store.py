"""Contract tests of cache stores."""

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import pytest

from img.adapters.cache_store.memory import MemoryCacheStore
from img.adapters.cache_store.sqlite import SqliteCacheStore
from img.adapters.storage.sqlite import Database
from img.application.ports.cache_store import CacheRecord, CacheStore
from img.domain.digest import Digest
from img.testing.cache_store import LAYER, NOON, NOTHING, RECORD, A, B, C, CacheStoreContract


def in_sqlite(root: Path) -> CacheStore:
    return SqliteCacheStore(Database(root / "state.db"))


def in_memory(_root: Path) -> CacheStore:
    return MemoryCacheStore()


@pytest.fixture(params=[in_sqlite, in_memory])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> CacheStore:
    make: Callable[[Path], CacheStore] = request.param
    return make(tmp_path)


class TestCacheStore(CacheStoreContract):
    pass


def test_of_a_put_that_fails_nothing_is_stored(tmp_path: Path) -> None:
    store = in_sqlite(tmp_path)
    store.put([(C, RECORD)])
    naive = CacheRecord(layer=LAYER, created=NOON, description=5)  # type: ignore[arg-type]

    with pytest.raises(AttributeError):
        store.put([(A, RECORD), (B, naive)])

    assert [key for key, _ in store.records()] == [C]


def test_asking_creates_no_database(tmp_path: Path) -> None:
    store = in_sqlite(tmp_path / "state")

    assert store.get(A) is None
    assert list(store.records()) == []
    store.remove([A])
    store.put([])

    assert list(tmp_path.iterdir()) == []


def put_many(root: Path, number: int) -> None:
    store = in_sqlite(root)
    for i in range(25):
        store.put([(Digest.of(b"%d %d" % (number, i)), RECORD), (A, NOTHING)])


def test_processes_may_write_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=put_many, args=(tmp_path, n)) for n in range(4)]

    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert [writer.exitcode for writer in writers] == [0, 0, 0, 0]
    assert len(list(in_sqlite(tmp_path).records())) == 101
