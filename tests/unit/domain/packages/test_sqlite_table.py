"""The reader of SQLite's format, compared with SQLite."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from img.domain.packages.rpm import BadDatabase
from img.domain.packages.sqlite_table import SqliteTables

VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=50),
    st.binary(max_size=50),
    st.integers(200, 20_000).map(bytes),  # on overflow pages
)


def database(
    path: Path, rows: list[tuple[object, object]], *, page_size: int, logged: int
) -> tuple[bytes, bytes]:
    """Return a database and its log, with the last ``logged`` rows in the log alone."""
    file = path / "x.sqlite"
    for old in path.iterdir():
        old.unlink()
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute(f"PRAGMA page_size={page_size}")
    connection.execute("CREATE TABLE other (a)")
    connection.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob, more)")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    insert = "INSERT INTO Packages (blob, more) VALUES (?, ?)"
    connection.executemany(insert, rows[: len(rows) - logged])
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.executemany(insert, rows[len(rows) - logged :])
    log = path / "x.sqlite-wal"
    made = file.read_bytes(), log.read_bytes() if log.exists() else b""
    connection.close()
    return made


@given(
    rows=st.lists(st.tuples(VALUES, VALUES), max_size=40),
    page_size=st.sampled_from([512, 1024, 4096, 65536]),
    data=st.data(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_rows_are_those_that_sqlite_wrote(
    tmp_path: Path, rows: list[tuple[object, object]], page_size: int, data: st.DataObject
) -> None:
    logged = data.draw(st.integers(0, len(rows)))
    made, log = database(tmp_path, rows, page_size=page_size, logged=logged)

    found = SqliteTables(made, log).rows("Packages")

    assert [(row[1], row[2]) for row in found] == rows


def test_a_table_of_many_pages_is_read_in_order(tmp_path: Path) -> None:
    rows: list[tuple[object, object]] = [(number, "x" * (number % 300)) for number in range(5000)]
    made, log = database(tmp_path, rows, page_size=1024, logged=100)

    assert [(row[1], row[2]) for row in SqliteTables(made, log).rows("Packages")] == rows


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_damaged_database_gives_rows_or_is_refused(tmp_path: Path, data: st.DataObject) -> None:
    rows: list[tuple[object, object]] = [(b"b" * 3000, number) for number in range(9)]
    made, log = database(tmp_path, rows, page_size=512, logged=3)
    parts = [bytearray(made), bytearray(log)]
    for _ in range(data.draw(st.integers(1, 8))):
        part = data.draw(st.sampled_from(parts))
        part[data.draw(st.integers(0, len(part) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(made)))

    for damaged in (bytes(parts[0]), bytes(parts[0][:cut])):
        try:
            found = list(SqliteTables(damaged, bytes(parts[1])).rows("Packages"))
        except BadDatabase:
            continue
        assert sum(map(len, found)) < len(made) + len(log)


def test_other_files_are_refused() -> None:
    heads = (b"SQLite format 3\0" + bytes(100), b"SQLite format 3\0\x02\x00")
    for other in (b"", b"RpmP" * 100, *heads):
        with pytest.raises(BadDatabase):
            list(SqliteTables(other).rows("Packages"))
