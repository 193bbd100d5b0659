"""Who works on the state, and who collects garbage in it."""

from abc import abstractmethod
from contextlib import AbstractContextManager
from typing import Protocol


class Collecting(Protocol):
    """A collection of garbage that is going on."""

    @property
    @abstractmethod
    def generation(self) -> int:
        """A number above those of all work that has begun so far and of earlier collections."""

    @abstractmethod
    def ended(self, generation: int) -> bool:
        """Tell whether all work that began before the collection ``generation`` has ended."""


class StateLock(Protocol):
    """Tells collections of garbage what may be in use; a crash ends all that its process held."""

    @abstractmethod
    def working(self) -> AbstractContextManager[None]:
        """Be at work while inside: what is found in the state stays usable. Many may at a time."""

    @abstractmethod
    def reading(self) -> AbstractContextManager[None]:
        """Be at work that changes nothing; where nobody here may write, just go in."""

    @abstractmethod
    def collecting(self, *, wait: bool = True) -> AbstractContextManager[Collecting | None]:
        """Be the only one who collects, while others work and begin to.

        While another collects: wait, or enter with None.
        """

    @abstractmethod
    def alone(self) -> AbstractContextManager[bool]:
        """Enter with True when nobody works, and keep work from beginning; else with False."""

    @abstractmethod
    def oldest(self) -> float | None:
        """Return when the oldest work that goes on began, in seconds since 1970; None: no work."""
