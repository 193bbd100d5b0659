"""Traces of builds in the state's database (docs/adr/0051-traces-of-builds.md).

Only modules that take little time are imported: a trace is looked up before all others.
"""

import json
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta

from img.adapters.storage.trace_questions import MARK_USED, ROWS, WALK, Answer, Question, ask

LARGEST = 1 << 20
"""The most characters of a trace: output of more bytes is in none."""

_MOST = 50  # traces
_WAIT_S = 2
_MOMENT = timedelta(minutes=1)  # marks of use are at least that far apart
_BYTES = ("utf-8", "surrogateescape")  # of any bytes a text, and of the text the same bytes
_CACHE = " FROM cache WHERE key = ?"  # the end of queries for results

Output = Sequence[tuple[int, bytes]]
"""What was written to file descriptors: 1 or 2."""
AskWalk = Callable[[Question], Answer]


def repeated(
    path: str, key: str, known: Sequence[tuple[Question, Answer]], walk: AskWalk
) -> Output | None:
    """Return the output of the build ``key`` if all of its questions still have their answers.

    ``known`` are answers of now. ``walk`` answers questions of other kinds; it is called when all
    other answers are equal. Results that the build uses are marked as used. Return None otherwise,
    also for errors of the database at ``path``: the build finds and reports them.
    """
    if not os.path.exists(path):
        return None
    with suppress(sqlite3.Error, ValueError, KeyError, TypeError), _opened(path) as database:
        rows = database.execute("SELECT content FROM traces WHERE key = ?", (key,)).fetchall()
        if not rows:
            return None
        trace = json.loads(rows[0][0])
        database.execute("PRAGMA query_only=ON")  # a trace asks, and does not change anything
        now = {repr(question): answer for question, answer in known}
        later = []
        for question, answer in trace["asked"]:
            if question[0] == WALK:
                later.append((question, answer))
                continue
            found = repr(question)
            if (now[found] if found in now else ask(question, database)) != answer:
                return None
        if any(walk(question) != answer for question, answer in later):
            return None
        database.execute("PRAGMA query_only=OFF")
        queries = [about for (kind, *about), _ in trace["asked"] if kind == ROWS]
        _mark_used(database, [keys[0] for query, keys in queries if query.endswith(_CACHE)])
        return [(int(number), str(text).encode(*_BYTES)) for number, text in trace["output"]]
    return None


def store(path: str, key: str, asked: Sequence[tuple[Question, Answer]], output: Output) -> None:
    """Store the trace of the build ``key``; the oldest traces are deleted. Raises nothing."""
    texts = [(number, written.decode(*_BYTES)) for number, written in output]
    content = json.dumps({"asked": asked, "output": texts})
    if len(content) > LARGEST:
        return
    with suppress(sqlite3.Error), _opened(path) as database:
        database.execute("PRAGMA synchronous=NORMAL")  # a trace that is lost is made again
        database.execute("BEGIN IMMEDIATE")
        database.execute(
            "INSERT OR REPLACE INTO traces VALUES (?, ?, ?)", (key, time.time_ns(), content)
        )
        database.execute(
            "DELETE FROM traces WHERE key NOT IN"
            f" (SELECT key FROM traces ORDER BY stored DESC LIMIT {_MOST})"
        )
        database.execute("COMMIT")


def _opened(path: str) -> "closing[sqlite3.Connection]":
    quoted = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return closing(
        sqlite3.connect(f"file:{quoted}?mode=rw", uri=True, timeout=_WAIT_S, isolation_level=None)
    )


def _mark_used(database: sqlite3.Connection, keys: Sequence[str]) -> None:
    """Mark the results ``keys`` as used now, except those used in the last minute."""
    now = datetime.now(UTC)
    before = _time(now - _MOMENT)
    old = [
        key
        for key in keys
        if database.execute(
            "SELECT 1 FROM cache WHERE key = ? AND coalesce(used, created) < ?", (key, before)
        ).fetchall()
    ]
    if old:
        database.execute("PRAGMA synchronous=NORMAL")
        database.execute("BEGIN IMMEDIATE")
        database.executemany(MARK_USED, [(_time(now), key) for key in old])
        database.execute("COMMIT")


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")
