"""Who may collect garbage while whom."""

from abc import abstractmethod
from contextlib import AbstractContextManager
from typing import Protocol


class StateLock(Protocol):
    """Keeps collection of garbage away from work whose results have no name yet."""

    @abstractmethod
    def working(self) -> AbstractContextManager[None]:
        """Hold off collection while inside; many may work at the same time."""

    @abstractmethod
    def collecting(self) -> AbstractContextManager[bool]:
        """Enter with True when nobody works, and keep work from beginning; else with False."""
