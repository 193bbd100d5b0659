"""No display of progress (--quiet)."""

from img.application.ports.progress_sink import ProgressSink
from img.domain.progress import Event


class SilentProgress(ProgressSink):
    """Ignores all events."""

    def emit(self, event: Event) -> None:
        pass

    def close(self) -> None:
        pass
