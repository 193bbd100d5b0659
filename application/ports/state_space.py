"""What else takes room in the state."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

from img.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """Something that was not brought to its end, or that a start of the machine made useless."""

    id: str  # its path in the state
    size: int  # bytes on disk
    changed: float  # in seconds since 1970
    description: str
    resumable: bool = False  # somebody may go on with it


class StateSpace(Protocol):
    """The state directory, as the file system sees it."""

    @abstractmethod
    def total(self) -> int:
        """Return the bytes that all of the state takes on disk."""

    @abstractmethod
    def free(self) -> int:
        """Return the bytes that its file system has free for us."""

    @abstractmethod
    def capacity(self) -> int:
        """Return the bytes that its file system has in all."""

    @abstractmethod
    def leftovers(self, *, before: float | None) -> Sequence[Leftover]:
        """Return what nobody needs; nothing of what changed since ``before``, unless it is None."""

    @abstractmethod
    def remove(self, leftover: Leftover) -> None:
        """Delete it; what is gone meanwhile, or in use again, is no error."""
