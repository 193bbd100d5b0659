"""Announcement of the executor of a build, since speed depends on it."""

from collections.abc import Callable, Sequence
from threading import Lock

from img.application.log import logger
from img.application.ports.executor import Cancellation, Executor, OutputSink
from img.application.ports.progress_sink import ProgressSink
from img.application.ports.terminal import Terminal
from img.domain.process import ExitStatus, Process, Root
from img.domain.progress import VertexDone, VertexStarted, VertexWarning

_VERTEX = "executor"

log = logger("executor")


class AnnouncedExecutor(Executor):
    """Another executor, announced once: by ``announce``, or before its first process.

    ``describe`` and ``warnings`` are called only then, as they may try features of the machine.
    """

    def __init__(
        self,
        executor: Executor,
        progress: ProgressSink,
        describe: Callable[[], str],
        warnings: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self.executor = executor
        self._progress = progress
        self._describe = describe
        self._warnings = warnings
        self._lock = Lock()
        self._announced = False

    def require(self) -> None:
        self.executor.require()

    def run(
        self,
        process: Process,
        root: Root,
        output: OutputSink,
        cancelled: Cancellation,
        terminal: Terminal | None = None,
    ) -> ExitStatus:
        self.announce()
        return self.executor.run(process, root, output, cancelled, terminal)

    def close(self) -> None:
        self.executor.close()

    def announce(self) -> None:
        """Show the executor in the progress. Idempotent."""
        with self._lock:
            if self._announced:
                return
            self._announced = True
            description = self._describe()
            log.debug("steps run", by=description)
            started = VertexStarted(vertex=_VERTEX, name=f"[internal] {description}")
            self._progress.emit(started)
            for message in self._warnings():
                self._progress.emit(VertexWarning(vertex=_VERTEX, message=message))
            self._progress.emit(VertexDone(vertex=_VERTEX))
