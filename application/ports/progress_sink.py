"""Output of progress events."""

from abc import abstractmethod
from typing import Protocol

from img.domain.progress import Event


class ProgressSink(Protocol):
    """A receiver of events from several threads; its methods raise no errors."""

    @abstractmethod
    def emit(self, event: Event) -> None:
        """Show ``event``. Events of one vertex come in order."""

    @abstractmethod
    def close(self) -> None:
        """Show pending events and restore the terminal. Idempotent."""
