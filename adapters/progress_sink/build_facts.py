"""Facts about a build that its events tell: for its last lines and its metadata."""

import re
import threading

from img.application.ports.progress_sink import ProgressSink
from img.domain.progress import Event, VertexCached, VertexDone, VertexStarted, VertexWarning
from img.domain.solve_status import Document, warning_document

_STEP = r"\[(?:[^]]* )?\d+/\d+\] "  # the beginning of the name of a step of a Dockerfile


class BuildFacts(ProgressSink):
    """The numbers of steps so far, and the warnings of checks, each once."""

    def __init__(self) -> None:
        self.cached = 0  # steps
        self.run = 0
        self._running: set[str] = set()
        self._warnings: dict[VertexWarning, None] = {}
        self._lock = threading.Lock()

    def emit(self, event: Event) -> None:
        if isinstance(event, VertexCached | VertexStarted | VertexDone | VertexWarning):
            with self._lock:
                self._add(event)

    def close(self) -> None:
        """Do nothing: there is nothing to show."""

    def warnings(self) -> list[Document]:
        """Return the warnings as BuildKit has them; of those for several platforms the first."""
        with self._lock:
            found = [*self._warnings]
        first = {(each.message, each.source): each for each in reversed(found)}
        return [warning_document(each) for each in first.values()][::-1]

    def _add(self, event: VertexCached | VertexStarted | VertexDone | VertexWarning) -> None:
        match event:
            case VertexCached():
                self.cached += bool(re.match(_STEP, event.name))
            case VertexStarted():
                if re.match(_STEP, event.name):
                    self._running.add(event.vertex)
            case VertexDone():
                if event.vertex in self._running:
                    self._running.remove(event.vertex)
                    self.run += 1
            case VertexWarning():
                if event.source:
                    self._warnings.setdefault(event)
