"""Contract tests of stores of file indexes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from img.adapters.index_store.files import FileIndexStore
from img.adapters.index_store.memory import MemoryIndexStore
from img.application.ports.index_store import IndexStore
from img.testing.index_store import ENTRIES, A, IndexStoreContract


def in_memory(_root: Path) -> IndexStore:
    return MemoryIndexStore()


@pytest.fixture(params=[FileIndexStore, in_memory])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> IndexStore:
    make: Callable[[Path], IndexStore] = request.param
    return make(tmp_path)


class TestIndexStore(IndexStoreContract):
    pass


@pytest.mark.parametrize("damage", [b"", b"garbage", b"\xff" * 100])
def test_a_damaged_index_is_none_and_can_be_made_again(tmp_path: Path, damage: bytes) -> None:
    store = FileIndexStore(tmp_path)
    store.put(A, ENTRIES)
    (tmp_path / "indexes" / A.encoded).write_bytes(damage)

    assert store.get(A) is None
    store.put(A, ENTRIES)
    assert store.get(A) == ENTRIES


def test_putting_the_same_index_again_writes_nothing(tmp_path: Path) -> None:
    store = FileIndexStore(tmp_path)
    store.put(A, ENTRIES)
    before = (tmp_path / "indexes" / A.encoded).stat()
    store.put(A, ENTRIES)

    assert (tmp_path / "indexes" / A.encoded).stat() == before
    assert [path.name for path in (tmp_path / "indexes").iterdir()] == [A.encoded]
