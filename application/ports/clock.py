"""What time it is."""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The time, in UTC."""

    @abstractmethod
    def now(self) -> datetime:
        """Return the current time, with its zone (UTC)."""
