"""The current time."""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """A clock; several threads may use it."""

    @abstractmethod
    def now(self) -> datetime:
        """Return the current time with its zone, UTC."""
