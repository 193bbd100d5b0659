"""The executor that runs steps through the fork server."""

from typing import Protocol

from img.adapters.executor.fork_server import ForkServer
from img.adapters.executor.launch import Launch
from img.application.ports.executor import Cancellation, Executor, ExecutorUnavailable, OutputSink
from img.application.ports.terminal import Terminal
from img.domain.errors import HostError
from img.domain.process import ExitStatus, Process, Root


class Launcher(Protocol):
    """One way to start a step: in namespaces, by a runtime, in a changed root, under PRoot."""

    def require(self) -> None:
        """Raise ExecutorUnavailable if no step can be started this way."""

    def usual(self) -> Launch:
        """Return the instructions for a step without options, which is never started."""

    def launch(self, process: Process, root: Root) -> Launch:
        """Return the fork server's instructions for one step.

        Raises ExecutorUnavailable, ProcessNotStarted.
        """


class ForkServerExecutor(Executor):
    """Runs steps through the fork server, in the way of ``launcher``.

    Without a ``server`` the executor forks one, so it has to be made before any thread is.
    ``obstacle`` is the reason why no step can run, such as namespaces that could not be entered:
    ``require`` and ``run`` raise it as ExecutorUnavailable, the constructor does not.
    """

    def __init__(
        self,
        launcher: Launcher,
        server: ForkServer | None = None,
        *,
        obstacle: HostError | None = None,
    ) -> None:
        self.launcher = launcher
        self._obstacle = obstacle
        self._server = server
        self._expecting = False
        if server is None and obstacle is None:
            self._server = ForkServer()

    def require(self) -> None:
        server = self._usable_server()
        self.launcher.require()
        if not self._expecting:
            self._expecting = True
            server.expect(self.launcher.usual())

    def run(
        self,
        process: Process,
        root: Root,
        output: OutputSink,
        cancelled: Cancellation,
        terminal: Terminal | None = None,
    ) -> ExitStatus:
        from img.adapters.executor.step_run import StepRun

        server = self._usable_server()
        run = StepRun(server, self.launcher.launch(process, root), output, terminal)
        try:
            return run.wait(cancelled)
        finally:
            run.end()

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _usable_server(self) -> ForkServer:
        if self._obstacle is not None:
            raise ExecutorUnavailable(self._obstacle.message, hint=self._obstacle.hint)
        if self._server is None:
            raise ExecutorUnavailable("the executor is closed")
        return self._server
