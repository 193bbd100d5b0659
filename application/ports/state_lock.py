"""Locks between garbage collection and builds."""

from abc import abstractmethod
from contextlib import AbstractContextManager
from typing import Protocol


class Collecting(Protocol):
    """A running garbage collection."""

    @property
    @abstractmethod
    def generation(self) -> int:
        """A number greater than those of all leases so far and of all earlier collections."""

    @abstractmethod
    def ended(self, generation: int) -> bool:
        """Return whether all leases that began before the collection ``generation`` have ended."""


class StateLock(Protocol):
    """Leases of running commands, and the lock of garbage collection.

    Several threads and processes may use it. The leases and locks of a process end with it, also
    when it crashes.
    """

    @abstractmethod
    def working(self) -> AbstractContextManager[None]:
        """Hold a lease, one of many: everything found in the state stays usable meanwhile."""

    @abstractmethod
    def reading(self) -> AbstractContextManager[None]:
        """Hold a lease for reading; enter without one if the state cannot be written."""

    @abstractmethod
    def collecting(self, *, wait: bool = True) -> AbstractContextManager[Collecting | None]:
        """Enter as the only garbage collection; leases can be held and taken meanwhile.

        While another collection runs, wait, or without ``wait`` enter with None.
        """

    @abstractmethod
    def alone(self) -> AbstractContextManager[bool]:
        """Enter with True if no lease is held, and let none begin meanwhile; else with False."""

    @abstractmethod
    def oldest(self) -> float | None:
        """Return the start of the oldest lease in seconds since 1970, None if none is held."""
