"""Where events go."""

from abc import abstractmethod
from typing import Protocol

from img.domain.progress import Event


class ProgressSink(Protocol):
    """Receives events from several threads; never fails the work it reports on."""

    @abstractmethod
    def emit(self, event: Event) -> None:
        """Take ``event``. Events of one vertex come in order."""

    @abstractmethod
    def close(self) -> None:
        """Show what is left, restore the terminal. Idempotent."""
