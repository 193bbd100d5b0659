"""Resource limits of steps, for all executors."""

from dataclasses import replace

from img.application.ports.control_groups import ControlGroups
from img.application.ports.executor import Cancellation, Executor, OutputSink
from img.application.ports.terminal import Terminal
from img.domain.process import ExitStatus, Process, Root


class LimitedExecutor(Executor):
    """Another executor that starts each process in a control group of its own."""

    def __init__(self, executor: Executor, groups: ControlGroups) -> None:
        self._executor = executor
        self._groups = groups

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
        with self._groups.group() as group:
            inside = replace(process, control_groups=group.directories)
            status = self._executor.run(inside, root, output, cancelled, terminal)
            if status.success or not group.ran_out_of_memory():
                return status
            return replace(status, out_of_memory=True)

    def close(self) -> None:
        self._executor.close()
