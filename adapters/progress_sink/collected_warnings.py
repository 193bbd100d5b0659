"""The warnings of a build, for its metadata."""

import threading

from img.application.ports.progress_sink import ProgressSink
from img.domain.progress import Event, VertexWarning
from img.domain.solve_status import Document, warning_document


class CollectedWarnings(ProgressSink):
    """The warnings of checks so far, each once."""

    def __init__(self) -> None:
        self._found: dict[VertexWarning, None] = {}
        self._lock = threading.Lock()

    def emit(self, event: Event) -> None:
        if isinstance(event, VertexWarning) and event.source:
            with self._lock:
                self._found.setdefault(event)

    def close(self) -> None:
        """Do nothing: there is nothing to show."""

    def documents(self) -> list[Document]:
        """Return the warnings as BuildKit has them; of those for several platforms the first."""
        with self._lock:
            found = [*self._found]
        seen = {(each.message, each.source): each for each in reversed(found)}
        return [warning_document(each) for each in found if each in seen.values()]
