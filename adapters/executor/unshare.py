"""Steps in namespaces that Python makes itself: no runtime, no daemon."""

from img.adapters.executor.fork_server import ForkServer
from img.adapters.executor.launch import Launch
from img.adapters.syscall_supervisor.root.level import Emulation
from img.application.ports.executor import Cancellation, Executor, ExecutorUnavailable, OutputSink
from img.domain.errors import HostError
from img.domain.process import ExitStatus, Network, Process, Root


class UnshareExecutor(Executor):
    """Linux namespaces straight from Python; the process must be inside already.

    Without a ``server`` it forks one, so it has to be made before any thread is. ``obstacle`` is
    why nothing can be run, such as namespaces that could not be entered: it is raised when
    something has to run, not before.
    """

    def __init__(
        self,
        server: ForkServer | None = None,
        *,
        obstacle: HostError | None = None,
        emulation: Emulation | None = None,
    ) -> None:
        self._emulation = emulation
        self._obstacle = obstacle
        self._server = server
        if server is None and obstacle is None:
            self._server = ForkServer()

    def require(self) -> None:
        self._usable_server()

    def run(
        self, process: Process, root: Root, output: OutputSink, cancelled: Cancellation
    ) -> ExitStatus:
        from img.adapters.executor.step_run import StepRun

        server = self._usable_server()
        run = StepRun(server, self._launch(process, root), output)
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

    def _launch(self, process: Process, root: Root) -> Launch:
        """Return what the fork server is told (executors of other ways say others)."""
        network = network_of(process)
        return Launch(process, root, emulation=self._emulation, network_program=network)


def network_of(process: Process) -> str:
    """Return the program that a network of its own takes, "" where none is asked for.

    Raises ExecutorUnavailable.
    """
    if process.network is not Network.PRIVATE:
        return ""
    from img.adapters.executor import private_network

    return private_network.require()
