"""Contract tests of stores of file digests."""

from collections.abc import Callable
from pathlib import Path

import pytest

from img.adapters.file_digest_store.memory import MemoryFileDigestStore
from img.adapters.file_digest_store.sqlite import SqliteFileDigestStore
from img.adapters.storage.sqlite import Database
from img.application.ports.file_digest_store import FileDigestStore
from img.testing.file_digest_store import OTHER, PLAIN, STAMP, FileDigestStoreContract, known_in


def in_sqlite(root: Path) -> FileDigestStore:
    return SqliteFileDigestStore(Database(root / "state.db"))


def in_memory(_root: Path) -> FileDigestStore:
    return MemoryFileDigestStore()


@pytest.fixture(params=[in_sqlite, in_memory])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> FileDigestStore:
    make: Callable[[Path], FileDigestStore] = request.param
    return make(tmp_path)


class TestFileDigestStore(FileDigestStoreContract):
    pass


def test_directories_that_are_gone_are_forgotten(store: FileDigestStore, tmp_path: Path) -> None:
    store.forget()
    for context in (str(tmp_path), "/gone", "/gone/\udcff"):
        store.save(context, {"a": PLAIN}.items())

    store.forget()
    assert known_in(store, "/gone") == known_in(store, "/gone/\udcff") == {}
    assert known_in(store, str(tmp_path)) == {"a": PLAIN}

    store.forget(everything=True)
    assert known_in(store, str(tmp_path)) == {}


def test_a_time_that_no_stamp_can_hold_is_left_out(tmp_path: Path) -> None:
    store = in_sqlite(tmp_path)
    far_away = PLAIN._replace(stamp=STAMP._replace(mtime_ns=2**63))
    store.save("/context", {"a": PLAIN, "b": far_away}.items(), gone=["never"])

    assert known_in(store, "/context") == {"a": PLAIN}


def test_many_small_changes_of_a_context_are_merged(tmp_path: Path) -> None:
    known = {f"file{number}": PLAIN for number in range(200)}
    store = in_sqlite(tmp_path)
    store.save("/context", known.items())
    for number in range(40):
        store.save(
            "/context", {f"file{number}": OTHER, f"new{number}": OTHER}.items(), [f"file{199}"]
        )
        known |= {f"file{number}": OTHER, f"new{number}": OTHER}
    del known["file199"]

    assert known_in(store, "/context") == known
    query = "SELECT count(*) FROM known_files"
    assert Database(tmp_path / "state.db").read(query)[0][0] <= 17


def test_a_corrupt_value_only_means_that_files_are_read_again(tmp_path: Path) -> None:
    store = in_sqlite(tmp_path)
    store.save("/context", {"a": PLAIN, "b": OTHER}.items())
    database = Database(tmp_path / "state.db")
    whole = database.read("SELECT content FROM known_files")[0][0]
    for damaged in (b"", b"?", whole[:-1], whole[:50], whole.replace(b"a\0b", b"a\0\0"), b"(\5"):
        with database.transaction() as transaction:
            transaction.write("UPDATE known_files SET content = ?", (damaged,))
        assert known_in(store, "/context") == {}

    store.save("/context", {"a": PLAIN}.items())
    assert known_in(store, "/context") == {"a": PLAIN}


def test_nothing_to_save_creates_no_database(tmp_path: Path) -> None:
    store = in_sqlite(tmp_path / "state")

    assert known_in(store, "/context") == {}
    store.save("/context", {}.items())

    assert list(tmp_path.iterdir()) == []


def test_a_large_context_is_loaded_and_saved_whole(tmp_path: Path) -> None:
    known = {
        f"dir{i // 100}/file{i}": PLAIN._replace(stamp=STAMP._replace(inode=i))
        for i in range(20_000)
    }
    store = in_sqlite(tmp_path)
    store.save("/context", known.items())

    assert known_in(in_sqlite(tmp_path), "/context") == known
