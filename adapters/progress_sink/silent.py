"""Progress that nobody wants to see (--quiet)."""

from img.application.ports.progress_sink import ProgressSink
from img.domain.progress import Event


class SilentProgress(ProgressSink):
    """Shows nothing."""

    def emit(self, event: Event) -> None:
        pass

    def close(self) -> None:
        pass
