"""The state's database: how it is opened, shared and refused."""

import multiprocessing
import sqlite3
import threading
from pathlib import Path

import pytest

from img.adapters.storage.migrations import MIGRATIONS
from img.adapters.storage.sqlite import Database
from img.domain.errors import StateError

INSERT = "INSERT INTO images VALUES (?, '{}', '', '')"
COUNT = "SELECT count(*) FROM images"


def insert(database: Database, *names: str) -> None:
    with database.transaction() as transaction:
        for name in names:
            transaction.write(INSERT, (name,))


def test_reading_creates_nothing(tmp_path: Path) -> None:
    assert Database(tmp_path / "state" / "state.db").read(COUNT) == []
    assert list(tmp_path.iterdir()) == []


def test_the_state_belongs_to_its_user_alone(tmp_path: Path) -> None:
    insert(Database(tmp_path / "state" / "state.db"), "a")

    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_it_uses_a_write_ahead_log_and_leaves_one_file_when_closed(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.db")
    insert(database, "a")

    assert database.read("PRAGMA journal_mode") == [("wal",)]
    database.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["reserve", "state.db", "tmp"]
    assert database.read(COUNT) == [(1,)]


def test_where_there_is_no_shared_memory_it_uses_a_rollback_journal(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.db", vfs="unix-dotfile")
    insert(database, "a")

    assert database.read("PRAGMA journal_mode") == [("delete",)]
    assert database.read(COUNT) == [(1,)]


def test_a_write_ahead_log_that_came_to_where_there_is_no_shared_memory_is_given_up(
    tmp_path: Path,
) -> None:
    before = Database(tmp_path / "state.db")
    insert(before, "a")
    before.close()

    moved = Database(tmp_path / "state.db", vfs="unix-dotfile")

    assert moved.read(COUNT) == [(1,)]
    assert moved.read("PRAGMA journal_mode") == [("delete",)]
    insert(Database(tmp_path / "state.db", vfs="unix-dotfile"), "b")  # no process keeps it locked
    assert moved.read(COUNT) == [(2,)]


def test_what_raises_in_a_transaction_undoes_it(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.db")
    insert(database, "a")

    with pytest.raises(KeyError), database.transaction() as transaction:
        transaction.write(INSERT, ("b",))
        raise KeyError

    assert database.read(COUNT) == [(1,)]
    insert(database, "c")


def test_opening_and_reading_an_up_to_date_database_writes_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.db")
    insert(database, "a")
    database.close()
    before = (tmp_path / "state.db").stat().st_mtime_ns

    again = Database(tmp_path / "state.db")
    again.read(COUNT)
    again.close()

    assert (tmp_path / "state.db").stat().st_mtime_ns == before


def test_a_database_of_a_newer_img_is_refused_and_left_alone(tmp_path: Path) -> None:
    insert(Database(tmp_path / "state.db"), "a")
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()

    for attempt in (lambda d: d.read(COUNT), lambda d: insert(d, "b")):
        with pytest.raises(StateError, match="newer img") as refused:
            attempt(Database(tmp_path / "state.db"))
        assert refused.value.hint


@pytest.mark.parametrize("content", [b"garbage" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_corrupt_database_is_told_as_such(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.db").write_bytes(content)

    with pytest.raises(StateError, match="is corrupt") as refused:
        Database(tmp_path / "state.db").read(COUNT)

    assert refused.value.hint
    assert str(tmp_path / "state.db") in refused.value.message


def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    (tmp_path / "state.db").touch()
    database = Database(tmp_path / "state.db")

    assert database.read(COUNT) == [(0,)]
    insert(database, "a")


def test_a_state_that_is_no_directory_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "state").touch()

    with pytest.raises(StateError, match="cannot be used"):
        insert(Database(tmp_path / "state" / "state.db"), "a")
    with pytest.raises(StateError, match="cannot be used"):
        Database(tmp_path / "state" / "state.db").read(COUNT)


@pytest.mark.plain_user
def test_a_state_that_may_not_be_written_is_told_as_such(tmp_path: Path) -> None:
    insert(Database(tmp_path / "state.db"), "a")
    (tmp_path / "state.db").chmod(0o400)

    with pytest.raises(StateError, match="writing"):
        insert(Database(tmp_path / "state.db"), "b")


def test_room_that_rows_have_left_is_given_back_if_it_is_much(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.db")
    database.compact()
    insert(database, *(f"{n}" * 1000 for n in range(1000, 2000)))
    held = Database(tmp_path / "state.db")
    before = (tmp_path / "state.db-wal").stat().st_size

    with held.transaction():
        database.compact()  # neither waits long nor fails
    with database.transaction() as transaction:
        transaction.write("DELETE FROM images WHERE reference NOT LIKE '1000%'")
    database.compact()

    assert held.read(COUNT) == [(1,)]
    left = sum(path.stat().st_size for path in tmp_path.glob("state.db*"))
    assert left < before / 10


def test_threads_share_it(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.db")
    threads = [
        threading.Thread(target=insert, args=(database, f"{n}-a", f"{n}-b")) for n in range(20)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert database.read(COUNT) == [(40,)]


def insert_many(path: Path, number: int) -> None:
    for i in range(20):
        insert(Database(path), f"{number}-{i}")


def test_processes_that_all_find_no_database_make_one_together(tmp_path: Path) -> None:
    path = tmp_path / "state" / "state.db"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=insert_many, args=(path, n)) for n in range(6)]

    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert [writer.exitcode for writer in writers] == [0] * 6
    assert Database(path).read(COUNT) == [(120,)]


def insert_one(database: Database) -> None:
    insert(database, "child")


def test_a_fork_opens_it_anew_and_leaves_its_parents_connection_alone(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.db")
    insert(database, "parent")
    child = multiprocessing.get_context("fork").Process(target=insert_one, args=(database,))
    child.start()
    child.join()
    insert(database, "again")

    assert child.exitcode == 0
    assert database.read(COUNT) == [(3,)]


OLDEST = """
CREATE TABLE images (reference TEXT PRIMARY KEY, target TEXT NOT NULL, created TEXT NOT NULL,
    updated TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE cache (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, diff_id TEXT,
    descriptor TEXT, created TEXT NOT NULL, description TEXT NOT NULL);
CREATE TABLE contexts (id INTEGER PRIMARY KEY, directory BLOB NOT NULL UNIQUE);
CREATE TABLE files (context INTEGER NOT NULL REFERENCES contexts (id), path TEXT NOT NULL,
    stamp BLOB NOT NULL, digest TEXT NOT NULL, xattrs BLOB, PRIMARY KEY (context, path))
    WITHOUT ROWID;
INSERT INTO images VALUES ('kept', '{}', '', '');
INSERT INTO cache VALUES (1, 'sha256:00', NULL, NULL, '2026-01-01T00:00:00+00:00', 'old');
PRAGMA user_version = 1;
"""


def test_a_database_of_the_oldest_img_becomes_one_of_the_newest(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.executescript(OLDEST)
    connection.close()

    database = Database(tmp_path / "state.db")

    assert database.read("SELECT reference FROM images") == [("kept",)]
    assert database.read("SELECT description, used, uses FROM cache") == [("old", None, 0)]
    new = Database(tmp_path / "new.db")
    insert(new, "a")
    tables = "SELECT name, sql FROM sqlite_master WHERE name <> 'cache' AND name <> 'images'"
    known = {name for name, _ in new.read(tables)}
    assert known == {name for name, _ in database.read(tables)}
    assert database.read("PRAGMA user_version") == [(len(MIGRATIONS),)]
    assert new.read("PRAGMA user_version") == [(len(MIGRATIONS),)]


def migrate(path: Path) -> None:
    Database(path).read(COUNT)


def test_processes_that_all_find_an_old_database_migrate_it_once(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(OLDEST)
    connection.close()
    context = multiprocessing.get_context("fork")
    readers = [context.Process(target=migrate, args=(path,)) for _ in range(6)]

    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()

    assert [reader.exitcode for reader in readers] == [0] * 6
    assert Database(path).read(COUNT) == [(1,)]
