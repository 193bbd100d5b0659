"""An executor for tests that runs nothing: it replays a script, and records the requests."""

import threading
from collections.abc import Callable

from img.application.ports.executor import (
    Cancellation,
    Executor,
    ExecutorUnavailable,
    OutputSink,
)
from img.application.ports.terminal import Terminal
from img.domain.process import ExitStatus, Process, Root

Script = Callable[[Process, Root, OutputSink], ExitStatus]
"""The behaviour of all commands: may write files below the root's path, give output, and raise."""

KILLED = ExitStatus(128 + 9)


def succeed(process: Process, root: Root, output: OutputSink) -> ExitStatus:
    """Return success without doing anything (a ``Script``)."""
    del process, root, output
    return ExitStatus(0)


class ScriptedExecutor(Executor):
    """Answers every ``run`` with the result of the script; threads may share it."""

    def __init__(self, script: Script = succeed) -> None:
        self._script = script
        self._lock = threading.Lock()
        self._asked: list[tuple[Process, Root]] = []
        self._closed = False

    @property
    def asked(self) -> tuple[tuple[Process, Root], ...]:
        """Return the processes and their roots, in order."""
        with self._lock:
            return tuple(self._asked)

    @property
    def processes(self) -> tuple[Process, ...]:
        """Return the processes, in order."""
        return tuple(process for process, _ in self.asked)

    def run(
        self,
        process: Process,
        root: Root,
        output: OutputSink,
        cancelled: Cancellation,
        terminal: Terminal | None = None,
    ) -> ExitStatus:
        if self._closed:
            raise ExecutorUnavailable("the executor is closed")
        with self._lock:
            self._asked.append((process, root))
        if cancelled.is_set():
            return KILLED
        if terminal is None:
            status = self._script(process, root, output)
        else:
            with terminal.raw(lambda: None):
                status = self._script(process, root, lambda _, data: terminal.write(data))
        return KILLED if cancelled.is_set() else status

    def close(self) -> None:
        self._closed = True
