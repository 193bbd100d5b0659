"""Records of builds in a list."""

from collections.abc import Iterator, Sequence
from itertools import count

from img.application.ports.build_history import (
    BuildHistory,
    LogPiece,
    RecordInUse,
    RecordNotFound,
    RecordWriter,
    StoredRecord,
)
from img.domain.history.journal import JournalEntry


class MemoryRecord(RecordWriter):
    """A record in lists."""

    def __init__(self, record: str, started: float) -> None:
        self._id = record
        self.started = started
        self.entries: list[JournalEntry] = []
        self.pieces: list[LogPiece] = []
        self.running = True

    @property
    def id(self) -> str:
        return self._id

    def note(self, entry: JournalEntry) -> None:
        if self.running:
            self.entries.append(entry)

    def output(self, piece: LogPiece) -> None:
        if self.running:
            self.pieces.append(piece)

    def close(self) -> None:
        self.running = False


class MemoryBuildHistory(BuildHistory):
    """Records that are lost with the process."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._records: dict[str, MemoryRecord] = {}

    def begin(self, started: float) -> MemoryRecord:
        record = MemoryRecord(f"{next(self._numbers):012x}", started)
        self._records[record.id] = record
        return record

    def records(self) -> Sequence[StoredRecord]:
        found = [StoredRecord(id=each.id, started=each.started) for each in self._records.values()]
        return sorted(found, key=lambda each: (each.started, each.id), reverse=True)

    def size(self, record: str) -> int:
        found = self._records.get(record)
        return 0 if found is None else sum(len(piece.data) for piece in found.pieces)

    def is_running(self, record: str) -> bool:
        return record in self._records and self._records[record].running

    def journal(self, record: str) -> Iterator[JournalEntry]:
        return iter([*self._found(record).entries])

    def output(self, record: str) -> Iterator[LogPiece]:
        return iter([*self._found(record).pieces])

    def remove(self, record: str) -> None:
        if self._found(record).running:
            raise RecordInUse(record)
        del self._records[record]

    def _found(self, record: str) -> MemoryRecord:
        if record not in self._records:
            raise RecordNotFound(record)
        return self._records[record]
