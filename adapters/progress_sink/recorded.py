"""Progress kept for later."""

from img.application.ports.progress_sink import ProgressSink
from img.domain.progress import Event


class RecordedProgress(ProgressSink):
    """Keeps all events, in the order in which they came."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.closed = False

    def emit(self, event: Event) -> None:
        self.events.append(event)  # one bytecode of a list: safe for threads

    def close(self) -> None:
        self.closed = True
