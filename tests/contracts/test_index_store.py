"""What every index store promises."""

from collections.abc import Callable
from pathlib import Path

import pytest

from img.adapters.index_store.files import FileIndexStore
from img.adapters.index_store.memory import MemoryIndexStore
from img.application.ports.index_store import IndexStore
from img.domain.digest import Digest
from img.domain.filesystem.entry import DIRECTORY, Entry
from img.domain.filesystem.file_index import FileIndex
from img.domain.oci.chain import DiffID

A = DiffID(Digest.of(b"a"))
B = DiffID(Digest("sha512", "ab" * 64))
ENTRIES = FileIndex.of(
    [
        Entry("etc", DIRECTORY, 0o755),
        Entry("etc/passwd", "f", 0o644, size=3, digest="00", xattrs=(("user.a", b"\0"),), offset=9),
        Entry("etc/\udcff", "l", link="\udcfe"),
    ]
)


def in_memory(_root: Path) -> IndexStore:
    return MemoryIndexStore()


@pytest.fixture(params=[FileIndexStore, in_memory])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> IndexStore:
    make: Callable[[Path], IndexStore] = request.param
    return make(tmp_path)


def test_an_index_comes_back_as_it_was(store: IndexStore) -> None:
    store.put(A, ENTRIES)

    assert store.get(A) == ENTRIES
    assert store.get(B) is None


def test_an_index_may_be_put_again_and_be_replaced(store: IndexStore) -> None:
    store.put(A, FileIndex(()))
    store.put(A, ENTRIES)
    store.put(A, ENTRIES)

    assert store.get(A) == ENTRIES
    assert list(store.diff_ids()) == [A]


def test_layers_with_an_index_are_listed(store: IndexStore) -> None:
    assert list(store.diff_ids()) == []

    store.put(A, ENTRIES)
    store.put(B, ENTRIES)

    assert set(store.diff_ids()) == {A, B}


def test_a_removed_index_is_gone_and_may_be_removed_again(store: IndexStore) -> None:
    store.put(A, ENTRIES)
    store.remove(A)
    store.remove(A)

    assert store.get(A) is None
    assert list(store.diff_ids()) == []


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


def test_the_size_of_an_index_is_known(store: IndexStore) -> None:
    store.put(A, ENTRIES)

    assert store.size(A) > 0
    assert store.size(B) == 0
