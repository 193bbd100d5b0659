"""Disk usage of the state directory, and leftovers in it."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

from img.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """Files of an interrupted command, or files that a reboot made useless."""

    id: str  # its path in the state
    size: int  # bytes on disk
    changed: float  # in seconds since 1970
    description: str
    resumable: bool = False  # a later command can continue it


class StateSpace(Protocol):
    """The files of the state directory; several processes may use it."""

    @abstractmethod
    def total(self) -> int:
        """Return the disk usage of the whole state in bytes."""

    @abstractmethod
    def free(self) -> int:
        """Return the bytes that are free for this user on its file system."""

    @abstractmethod
    def capacity(self) -> int:
        """Return the size of its file system in bytes."""

    @abstractmethod
    def leftovers(self, *, before: float | None) -> Sequence[Leftover]:
        """Return the leftovers; with ``before`` only those that have not changed since.

        ``before`` is in seconds since 1970.
        """

    @abstractmethod
    def remove(self, leftover: Leftover) -> None:
        """Delete a leftover unless it is gone or in use again."""
