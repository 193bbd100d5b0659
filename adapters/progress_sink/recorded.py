"""Recorded progress, for tests."""

from img.application.ports.progress_sink import ProgressSink
from img.domain.progress import Event


class RecordedProgress(ProgressSink):
    """Records all events, in order."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.closed = False

    def emit(self, event: Event) -> None:
        self.events.append(event)  # one bytecode of a list: thread-safe

    def close(self) -> None:
        self.closed = True
