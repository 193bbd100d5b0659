"""Progress for several receivers."""

from collections.abc import Sequence

from img.application.ports.progress_sink import ProgressSink
from img.domain.progress import Event


class SeveralSinks(ProgressSink):
    """Passes each event on to all of ``sinks``, in their order."""

    def __init__(self, sinks: Sequence[ProgressSink]) -> None:
        self._sinks = tuple(sinks)

    def emit(self, event: Event) -> None:
        for sink in self._sinks:
            sink.emit(event)

    def close(self) -> None:
        for sink in self._sinks:
            sink.close()
