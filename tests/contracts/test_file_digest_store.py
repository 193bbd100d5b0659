"""Contract tests of stores of file digests."""

from collections.abc import Callable
from pathlib import Path

import pytest

from img.adapters.file_digest_store.memory import MemoryFileDigestStore
from img.adapters.file_digest_store.sqlite import SqliteFileDigestStore
from img.adapters.storage.sqlite import Database
from img.application.ports.file_digest_store import FileDigestStore
from img.testing.file_digest_store import PLAIN, STAMP, FileDigestStoreContract


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
        store.save(context, {"a": PLAIN})

    store.forget()
    assert store.load("/gone") == store.load("/gone/\udcff") == {}
    assert store.load(str(tmp_path)) == {"a": PLAIN}

    store.forget(everything=True)
    assert store.load(str(tmp_path)) == {}


def test_what_sqlite_cannot_hold_is_read_anew_each_time(tmp_path: Path) -> None:
    store = in_sqlite(tmp_path)
    far_away = PLAIN._replace(stamp=STAMP._replace(mtime_ns=2**63))
    store.save("/context", {"a": PLAIN, "\udcff": PLAIN, "b": far_away}, gone=["\udcfe"])

    assert store.load("/context") == {"a": PLAIN}


def test_nothing_to_save_creates_no_database(tmp_path: Path) -> None:
    store = in_sqlite(tmp_path / "state")

    assert store.load("/context") == {}
    store.save("/context", {})

    assert list(tmp_path.iterdir()) == []


def test_a_large_context_is_loaded_and_saved_whole(tmp_path: Path) -> None:
    known = {
        f"dir{i // 100}/file{i}": PLAIN._replace(stamp=STAMP._replace(inode=i))
        for i in range(20_000)
    }
    store = in_sqlite(tmp_path)
    store.save("/context", known)

    assert in_sqlite(tmp_path).load("/context") == known
