"""Name servers of steps (``--dns``, ``--dns-search``, ``--dns-option``)."""

from dataclasses import replace

from img.application.ports.executor import Cancellation, Executor, OutputSink
from img.application.ports.terminal import Terminal
from img.domain.process import ExitStatus, Process, Resolver, Root


class ResolvingExecutor(Executor):
    """Another executor; its processes look names up as ``resolver`` says."""

    def __init__(self, executor: Executor, resolver: Resolver) -> None:
        self._executor = executor
        self._resolver = resolver

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
        resolving = replace(process, resolver=self._resolver)
        return self._executor.run(resolving, root, output, cancelled, terminal)

    def close(self) -> None:
        self._executor.close()
