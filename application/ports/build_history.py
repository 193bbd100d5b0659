"""Records of builds, and the output of their steps."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Protocol

from img.domain.dataclass import dataclass
from img.domain.errors import NotFoundError
from img.domain.history.journal import JournalEntry


class RecordNotFound(NotFoundError):
    """There is no record with this ID, or no longer."""

    def __init__(self, record: str) -> None:
        super().__init__(f"no record of a build {record}", hint="see `img history ls`")
        self.record = record


class RecordInUse(NotFoundError):
    """The record is of a build that is still running."""

    def __init__(self, record: str) -> None:
        super().__init__(f"the build {record} is still running", hint="remove it when it has ended")
        self.record = record


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRecord:
    """A record in the store, without its content."""

    id: str
    started: float  # seconds since 1970


@dataclass(frozen=True, slots=True)
class LogPiece:
    """Output of a step; ``step`` is its number in the journal (journal.py, "log")."""

    step: int
    stream: int  # 1 stdout, 2 stderr
    after_ms: int  # since the start of the build
    data: bytes


class RecordWriter(Protocol):
    """The record of a running build; several threads write to it.

    What was written is kept if img is killed. Methods raise nothing: a record that cannot be
    written must not fail its build, and is incomplete then.
    """

    @property
    @abstractmethod
    def id(self) -> str:
        """The ID of the record: twelve hexadecimal digits."""

    @abstractmethod
    def note(self, entry: JournalEntry) -> None:
        """Append ``entry`` to the journal."""

    @abstractmethod
    def output(self, piece: LogPiece) -> None:
        """Append output to the logs."""

    @abstractmethod
    def close(self) -> None:
        """End the record. Idempotent."""


class BuildHistory(Protocol):
    """Records of builds; several processes may use one store."""

    @abstractmethod
    def begin(self, started: float) -> RecordWriter:
        """Return a new record of a build that started then. Raises nothing."""

    @abstractmethod
    def records(self) -> Sequence[StoredRecord]:
        """Return all records, the latest first."""

    @abstractmethod
    def size(self, record: str) -> int:
        """Return the bytes of a record on disk, with the logs; 0 without a record."""

    @abstractmethod
    def is_running(self, record: str) -> bool:
        """Return whether the build has not ended and was not killed; False without a record."""

    @abstractmethod
    def journal(self, record: str) -> Iterator[JournalEntry]:
        """Yield the complete entries of a journal in order. Raises RecordNotFound."""

    @abstractmethod
    def output(self, record: str) -> Iterator[LogPiece]:
        """Yield the output of all steps in the order of time. Raises RecordNotFound."""

    @abstractmethod
    def remove(self, record: str) -> None:
        """Delete a record. Raises RecordNotFound, RecordInUse."""
