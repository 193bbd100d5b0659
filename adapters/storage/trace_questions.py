"""Questions that a build asks about the machine, and their answers now.

A question is a list of texts that JSON can hold: its kind, and what it is about. Answers that are
equal before and after mean that nothing relevant has changed. The modules imported here are few,
because the questions are asked before others are imported.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3

Question = Sequence[Any]
Answer = Any
"""A value that JSON can hold."""

STAMP, TARGET, IDENTITY, REAL = "stamp", "target", "identity", "real"  # about paths
TEXT, CONFINEMENT = "text", "confinement"  # about files of the kernel
USER, LINES = "user", "lines"  # about a user's id, and a file with lines for users
ROWS = "rows"  # of a query
WALK = "walk"  # the fingerprint of a directory; the answer is not here, but where it is walked
MARK_USED = "UPDATE cache SET used = ?, uses = uses + 1 WHERE key = ?"

_TICK_NS = 50_000_000  # longer than the tick of any kernel's coarse clock
COARSE_TICK_NS = 2_000_000_000  # FAT, ext3, old NFS: whole seconds
_MOST = 1 << 16  # bytes of a text
_MARKS = ("used", "uses")  # columns that say when a row was used


def is_racy(ctime_ns: int, read_at: int) -> bool:
    """Tell whether a later change might not change the ctime ("racily clean" in git's terms).

    Two changes in the same tick of the clock give the same ctime. Ticks are short on file systems
    that store fractions of a second.
    """
    tick = _TICK_NS if ctime_ns % 1_000_000_000 else COARSE_TICK_NS
    return ctime_ns > read_at - tick


def is_settled(question: Question, answer: Answer, at: int) -> bool:
    """Tell whether each later change of a file changes ``answer``, given ``at`` that time (ns)."""
    if question[0] not in (STAMP, TARGET) or not isinstance(answer, list) or len(answer) < 2:
        return True
    return not is_racy(answer[-1], at)


def ask(question: Question, database: "sqlite3.Connection | None" = None) -> Answer:
    """Return the answer to ``question``. Raises sqlite3.Error, ValueError for unknown kinds."""
    kind, *about = question
    if kind == ROWS:
        return _rows(database, *about)
    if kind not in _ASKED:
        raise ValueError(kind)
    try:
        return _ASKED[kind](*about)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return [error.errno]


def rows_of(cursor: "sqlite3.Cursor") -> list[list[Any]]:
    """Return the rows of a query without the columns that only say when a row was used."""
    wanted = [place for place, column in enumerate(cursor.description) if column[0] not in _MARKS]
    return [[row[place] for place in wanted] for row in cursor.fetchall()]


def _rows(database: "sqlite3.Connection | None", query: str, parameters: list[Any]) -> Answer:
    if database is None:
        return None
    return rows_of(database.execute(query, parameters))


def _stamp(path: str) -> Answer:
    return _stamped(os.lstat(path))


def _target(path: str) -> Answer:
    return _stamped(os.stat(path))


def _stamped(status: os.stat_result) -> Answer:
    # Not the owner, which has another number in the namespace of a build; a new one changes ctime.
    return [
        status.st_dev,
        status.st_ino,
        status.st_mode,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    ]


def _identity(path: str) -> Answer:
    status = os.stat(path)
    return [status.st_dev, status.st_ino, status.st_mode & 0o170000]


def _real(path: str) -> Answer:
    return os.path.realpath(path, strict=True)


def _text(path: str) -> Answer:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return os.read(descriptor, _MOST).decode("latin-1")
    finally:
        os.close(descriptor)


def _confinement(path: str) -> Answer:
    names = ("Cap", "NoNewPrivs:", "Seccomp:")
    return [line for line in _text(path).splitlines() if line.startswith(names)]


def _user(number: int) -> Answer:
    import pwd

    try:
        found = pwd.getpwuid(number)
    except KeyError:
        return None
    return [found.pw_name, found.pw_gid, found.pw_dir]


def _lines(path: str, *owners: str) -> Answer:
    """Return the lines of a file such as /etc/subuid that begin with one of ``owners``."""
    with open(path, encoding="latin-1") as lines:
        return [line for line in lines if line.partition(":")[0] in owners]


_ASKED: Mapping[str, Callable[..., Answer]] = {
    STAMP: _stamp,
    TARGET: _target,
    IDENTITY: _identity,
    REAL: _real,
    TEXT: _text,
    CONFINEMENT: _confinement,
    USER: _user,
    LINES: _lines,
}
