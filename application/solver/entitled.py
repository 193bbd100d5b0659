"""Entitlements of steps that the user granted on the command line."""

from dataclasses import replace

from img.application.ports.executor import Cancellation, Executor, OutputSink
from img.application.ports.terminal import Terminal
from img.domain.process import ExitStatus, Process, Root


class EntitledExecutor(Executor):
    """Another executor; its processes may create user namespaces."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def require(self) -> None:
        self._executor.require()

    def run(
        self,
        process: Process,
        root: Root,
        output: OutputSink,
        cancelled: Cancellation,
        terminal: Terminal | None = None,
    ) -> ExitStatus:
        return self._executor.run(replace(process, userns=True), root, output, cancelled, terminal)

    def close(self) -> None:
        self._executor.close()
