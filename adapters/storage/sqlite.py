"""The SQLite database of the state, shared between processes."""

import contextlib
import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from img.adapters.storage.atomic_file import (
    make_durable_directories,
    move_to_new,
    raise_state_error,
)
from img.adapters.storage.disk_reserve import Reserve
from img.adapters.storage.own_files import open_own_file
from img.application.ports.blob_store import StoreFull
from img.domain.errors import StateError

if TYPE_CHECKING:
    import sqlite3

Row = tuple[Any, ...]

_BUSY_TIMEOUT_S = 30
_WORTH_IT = 1 << 20  # bytes; compaction takes 0.1 s for each 20 MB that stay
_LONGEST_PATH = 490  # bytes: SQLite's limit is 512, with suffixes such as "-journal"
_UNWRITABLE = {3, 8, 14}  # SQLITE_PERM, SQLITE_READONLY, SQLITE_CANTOPEN
_NO_SHARED_MEMORY = {10, 14, 15}  # SQLITE_IOERR, SQLITE_CANTOPEN, SQLITE_PROTOCOL

_FORMAT = 6  # the number of migrations (migrations.py), which few processes need


class Database:
    """One connection for all threads of this process, opened on first use.

    Reading never creates the file. ``vfs`` is one of SQLite's ("unix-dotfile" needs no locks of the
    file system). All methods raise StateError, or StoreFull on a full disk.
    """

    def __init__(self, path: Path, *, vfs: str | None = None) -> None:
        self._path = path
        self._vfs = vfs
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._owner = 0  # the process that opened the connection; a forked process must not use it
        self._inherited: list[sqlite3.Connection] = []  # nor close it: sqlite.org/howtocorrupt.html
        self._reserve = Reserve(str(path.parent))
        self._frees = False

    def read(self, query: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Return all rows of a SELECT; none if there is no database yet."""
        import sqlite3

        with self._lock, self._translated():
            if not self._may_write():
                return self._read_only(query, parameters)
            try:
                connection = self._opened(create=False)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in _UNWRITABLE:
                    raise
                return self._read_only(query, parameters)  # no space for one more file
            return connection.execute(query, parameters).fetchall() if connection else []

    @contextmanager
    def transaction(
        self,
        *,
        durable: bool = True,
        frees: bool = False,
        marks: bool = False,
    ) -> Iterator["Transaction"]:
        """Enter a transaction with the write lock; any exception rolls it back.

        Unless it is ``durable``, a loss of power (never a crash of img) may undo it. A transaction
        that ``frees`` space finds some to work with even on a full disk. One with ``marks`` changes
        only the times at which records were used.
        """
        with self._lock, self._translated():
            if frees:
                self._frees = True
                self._reserve.spend()
            connection = self._opened(create=True)
            assert connection is not None
            if not frees:
                self._reserve.fill()
            connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield Transaction(connection)
                connection.execute("COMMIT")
            except BaseException:
                # SQLite may have rolled back already on a full disk.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def compact(self) -> None:
        """Compact the database when a quarter of it is free and no process writes."""
        import sqlite3

        with self._lock, self._translated():
            connection = self._opened(create=False)
            if connection is None or not _is_worth_compacting(connection):
                return
            connection.execute("PRAGMA busy_timeout=1000")
            with contextlib.suppress(sqlite3.OperationalError):  # also: no space for a copy
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_S * 1000}")

    def close(self) -> None:
        """Close the connection; the next call opens it again. Idempotent."""
        with self._lock:
            self._disconnect()
            if self._frees:  # rows that were deleted since then have left space
                self._reserve.fill()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection and self._owner == os.getpid():
            connection.close()
        elif connection:
            self._inherited.append(connection)

    def _may_write(self) -> bool:
        return bool(self._connection) or (
            os.access(self._path, os.W_OK) and os.access(self._path.parent, os.W_OK)
        )

    def _read_only(self, query: str, parameters: Sequence[object]) -> list[Row]:
        """Read a database without write access: another user's, or on a read-only file system.

        SQLite then cannot create the index of a write-ahead log, and finds one only while another
        process writes (sqlite.org/wal.html, "Read-Only Databases"). Without one only the main file
        is read, and read again if it has changed meanwhile.
        """
        import sqlite3

        while (before := self._stamp()) is not None:
            try:
                return self._read_at_once("mode=ro", query, parameters)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in _UNWRITABLE or self._has_log():
                    raise
            try:
                rows = self._read_at_once("immutable=1", query, parameters)
            except sqlite3.DatabaseError:
                if self._stamp() == before:
                    raise
                continue
            if self._stamp() == before:
                return rows
        return []

    def _read_at_once(self, how: str, query: str, parameters: Sequence[object]) -> list[Row]:
        with contextlib.closing(self._connect(self._path, how)) as connection:
            if (version := self._version(connection)) == _FORMAT:
                return connection.execute(query, parameters).fetchall()
        if version:
            raise StateError(
                f"the state database {self._path} was written by an older img",
                hint="have somebody who may write there run img",
            )
        return []

    def _stamp(self) -> tuple[int, int, int] | None:
        """Return a value that changes with the file, None if there is no file."""
        try:
            status = os.stat(self._path)
            return status.st_ino, status.st_mtime_ns, status.st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise_state_error(error, str(self._path))

    def _has_log(self) -> bool:
        with contextlib.suppress(OSError):
            return os.stat(f"{self._path}-wal").st_size > 0
        return False

    def _opened(self, *, create: bool) -> "sqlite3.Connection | None":
        if self._connection and self._owner == os.getpid():
            return self._connection
        self._disconnect()
        if self._stamp() is None:
            if not create:
                return None
            self._create()
        self._connection = self._migrated()
        self._owner = os.getpid()
        return self._connection

    def _migrated(self) -> "sqlite3.Connection":
        import sqlite3

        connection = self._connect(self._path)
        try:
            self._migrate(connection)
        except sqlite3.OperationalError as error:
            connection.close()
            # The lower byte is the primary code (sqlite.org/rescode.html).
            if error.sqlite_errorcode & 0xFF not in _NO_SHARED_MEMORY:
                raise
            return self._without_shared_memory()
        except BaseException:
            connection.close()
            raise
        return connection

    def _without_shared_memory(self) -> "sqlite3.Connection":
        """Open a database with a write-ahead log where processes cannot share its index.

        If the file system does not support shared memory, the rollback journal replaces the log
        permanently; if it is full, this process uses the database exclusively (sqlite.org/wal.html,
        "Use of WAL Without Shared-Memory").
        """
        import sqlite3

        connection = self._connect(self._path)
        try:
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._migrate(connection)
            with contextlib.suppress(sqlite3.OperationalError):
                connection.execute("PRAGMA journal_mode=DELETE")
                connection.execute("PRAGMA locking_mode=NORMAL")
                self._version(connection)  # the next statement releases the lock
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect(self, path: Path, how: str = "mode=rw") -> "sqlite3.Connection":
        import sqlite3

        # mode=rw: a database that vanished must not be recreated, empty and without WAL.
        vfs = f"&vfs={self._vfs}" if self._vfs else ""
        return sqlite3.connect(
            f"{path.absolute().as_uri()}?{how}{vfs}",
            uri=True,
            timeout=_BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )

    def _create(self) -> None:
        """Create the file under a temporary name and rename it: no process sees half a schema."""
        temp_dir = self._path.parent / "tmp"
        draft = temp_dir / f"{os.getpid()}.{time.monotonic_ns()}"
        try:
            make_durable_directories(str(temp_dir))
            try:
                self._draft(draft)
                with contextlib.suppress(FileExistsError):
                    move_to_new(str(draft), str(self._path))
            finally:
                draft.unlink(missing_ok=True)
        except OSError as error:
            raise_state_error(error, str(self._path))

    def _draft(self, draft: Path) -> None:
        import sqlite3

        # SQLite gives its other files the mode of this one.
        os.close(open_own_file(str(draft), os.O_RDWR | os.O_CREAT | os.O_EXCL))
        with contextlib.closing(self._connect(draft)) as connection:
            # Without shared memory the rollback journal ("delete") works as well, only slower.
            with contextlib.suppress(sqlite3.OperationalError):
                connection.execute("PRAGMA journal_mode=WAL")
            self._migrate(connection)

    def _migrate(self, connection: "sqlite3.Connection") -> None:
        if self._version(connection) == _FORMAT:
            return
        from img.adapters.storage.migrations import MIGRATIONS

        connection.execute("BEGIN IMMEDIATE")
        for statements in MIGRATIONS[self._version(connection) :]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version={_FORMAT}")
        connection.execute("COMMIT")

    def _version(self, connection: "sqlite3.Connection") -> int:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version > _FORMAT:
            raise StateError(
                f"the state database {self._path} was written by a newer img (format {version}, "
                f"this one knows {_FORMAT})",
                hint="use the newer img, or another state directory with --state",
            )
        return version

    @contextmanager
    def _translated(self) -> Iterator[None]:
        import sqlite3

        try:
            yield
        except sqlite3.Error as error:
            self._raise(error)

    def _is_read_only(self) -> bool:
        with contextlib.suppress(OSError):
            return bool(os.statvfs(self._path.parent).f_flag & os.ST_RDONLY)
        return False

    def _raise(self, error: "sqlite3.Error") -> NoReturn:
        import sqlite3

        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            raise StateError(
                f"the state database {self._path} is corrupt: {error}",
                hint="move it away and pull or build the images again; blobs are not lost",
            ) from error
        full = code in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN} and self._reserve.needed
        if code == sqlite3.SQLITE_FULL or full:
            raise StoreFull(
                f"no space left for the state database {self._path}",
                hint="free some space (`img prune`), or choose another state with --state",
            ) from error
        if (read_only := self._is_read_only()) or code in _UNWRITABLE:
            reason = "read-only file system" if read_only else error
            if len(os.fsencode(self._path.absolute())) > _LONGEST_PATH:
                reason = "the path is too long for SQLite"
            raise StateError(
                f"the state database {self._path} cannot be opened for writing: {reason}",
                hint="choose a state directory of your own with --state",
            ) from error
        if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise StateError(
                f"the state database {self._path} was in use for {_BUSY_TIMEOUT_S} seconds",
                hint="try again when other img processes are done",
            ) from error
        raise StateError(f"the state database {self._path} failed: {error}") from error


def _is_worth_compacting(connection: "sqlite3.Connection") -> bool:
    free, pages, size = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("freelist_count", "page_count", "page_size")
    )
    return free * size >= _WORTH_IT and free >= pages // 4


class Transaction:
    """The operations inside a transaction."""

    def __init__(self, connection: "sqlite3.Connection") -> None:
        self._connection = connection

    def read(self, query: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Return all rows of a SELECT."""
        return self._connection.execute(query, parameters).fetchall()

    def write(self, statement: str, parameters: Sequence[object] = ()) -> int:
        """Execute one statement; return how many rows it changed."""
        return self._connection.execute(statement, parameters).rowcount

    def write_all(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        """Execute one statement for each of ``rows``."""
        self._connection.executemany(statement, rows)
