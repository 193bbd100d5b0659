"""The SQLite database of the state, with a record of the queries."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from img.adapters.storage.sqlite import Database, Row, Transaction
from img.adapters.storage.trace_questions import rows_of
from img.adapters.storage.trace_recorder import TraceRecorder


class RecordedDatabase(Database):
    """A database that records queries; changes stop the recording, except marks of use."""

    def __init__(self, path: Path, recorder: TraceRecorder) -> None:
        super().__init__(path)
        self._recorder = recorder

    def read(self, query: str, parameters: Sequence[object] = ()) -> list[Row]:
        # Recorded first: a change before the second query is then noticed by the next build.
        with self._lock, self._translated():
            connection = self._opened(create=False) if self._may_write() else None
            if connection is None:
                self._recorder.stop("the state is new, or read-only")
            else:
                rows = rows_of(connection.execute(query, parameters))
                self._recorder.record_rows(query, parameters, rows)
        return super().read(query, parameters)

    @contextmanager
    def transaction(
        self, *, durable: bool = True, frees: bool = False, marks: bool = False
    ) -> Iterator[Transaction]:
        if not marks:
            self._recorder.stop("the state changed")
        with super().transaction(durable=durable, frees=frees) as transaction:
            yield transaction
