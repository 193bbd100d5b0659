"""Progress for a function of another program."""

import threading
from collections.abc import Callable

from img.application.ports.progress_sink import ProgressSink
from img.domain.progress import Event


class CallbackProgress(ProgressSink):
    """Calls ``on_event`` with each event, one at a time; it raises no error."""

    def __init__(self, on_event: Callable[[Event], None]) -> None:
        self._on_event = on_event
        self._turn = threading.Lock()

    def emit(self, event: Event) -> None:
        with self._turn:
            self._on_event(event)

    def close(self) -> None:
        """Do nothing: each event is passed on immediately."""
