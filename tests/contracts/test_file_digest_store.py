"""What every store of file digests promises."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from img.adapters.file_digest_store.memory import MemoryFileDigestStore
from img.adapters.file_digest_store.sqlite import SqliteFileDigestStore
from img.adapters.storage.sqlite import Database
from img.application.ports.file_digest_store import FileDigestStore, FileStamp, KnownFile

STAMP = FileStamp(64769, 12, 3, 1_700_000_000_123_456_789, 1_700_000_000_000_000_001)
PLAIN = KnownFile(STAMP, hashlib.sha256(b"a").hexdigest(), ())
OTHER = KnownFile(STAMP._replace(inode=13), hashlib.sha256(b"b").hexdigest(), (("user.x", b"\0"),))


def in_sqlite(root: Path) -> FileDigestStore:
    return SqliteFileDigestStore(Database(root / "state.db"))


def in_memory(_root: Path) -> FileDigestStore:
    return MemoryFileDigestStore()


@pytest.fixture(params=[in_sqlite, in_memory])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> FileDigestStore:
    make: Callable[[Path], FileDigestStore] = request.param
    return make(tmp_path)


def test_known_files_come_back_as_they_were(store: FileDigestStore) -> None:
    store.save("/context", {"a": PLAIN, "dir/ü": OTHER})

    assert store.load("/context") == {"a": PLAIN, "dir/ü": OTHER}
    assert isinstance(store.load("/context")["a"], KnownFile)
    assert isinstance(store.load("/context")["a"].stamp, FileStamp)


def test_each_context_knows_its_own_files(store: FileDigestStore) -> None:
    store.save("/one", {"a": PLAIN})
    store.save("/two", {"a": OTHER})

    assert store.load("/one") == {"a": PLAIN}
    assert store.load("/two") == {"a": OTHER}
    assert store.load("/three") == {}


def test_saving_adds_replaces_and_forgets_and_leaves_the_rest(store: FileDigestStore) -> None:
    store.save("/context", {"a": PLAIN, "b": PLAIN, "c": PLAIN})
    store.save("/context", {"b": OTHER, "d": OTHER}, gone=iter(["c", "never"]))

    assert store.load("/context") == {"a": PLAIN, "b": OTHER, "d": OTHER}


def test_directories_that_are_gone_are_forgotten(store: FileDigestStore, tmp_path: Path) -> None:
    store.forget()
    for context in (str(tmp_path), "/gone", "/gone/\udcff"):
        store.save(context, {"a": PLAIN})

    store.forget()
    assert store.load("/gone") == store.load("/gone/\udcff") == {}
    assert store.load(str(tmp_path)) == {"a": PLAIN}

    store.forget(everything=True)
    assert store.load(str(tmp_path)) == {}


def test_a_context_whose_name_is_no_text_is_one_too(store: FileDigestStore) -> None:
    store.save("/\udcff", {"a": PLAIN})

    assert store.load("/\udcff") == {"a": PLAIN}


def test_the_largest_inode_is_one_too(store: FileDigestStore) -> None:
    large = PLAIN._replace(stamp=STAMP._replace(inode=2**64 - 1, mtime_ns=-1, device=2**64 - 2))
    store.save("/context", {"a": large})

    assert store.load("/context") == {"a": large}


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
