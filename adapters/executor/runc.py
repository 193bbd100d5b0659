"""Steps in containers of a runtime that speaks runtime-spec: runc or crun."""

from img.adapters.executor.find_on_host import find_program
from img.adapters.executor.fork_server import ForkServer
from img.adapters.executor.launch import Launch, Way
from img.adapters.executor.unshare import UnshareExecutor, network_of
from img.domain.errors import HostError
from img.domain.process import Process, Root


class RuncExecutor(UnshareExecutor):
    """runc, crun, or what takes the options of one of them, in the namespaces of a build.

    Slower than doing it ourselves (crun nearly twice, runc four times), and for those who have
    reasons to trust one of them more.
    """

    def __init__(
        self,
        server: ForkServer | None = None,
        *,
        obstacle: HostError | None = None,
        runtime: str = "runc",
    ) -> None:
        super().__init__(server, obstacle=obstacle)
        self.runtime = runtime

    def require(self) -> None:
        super().require()
        find_program(self.runtime)

    def _launch(self, process: Process, root: Root) -> Launch:
        runtime = find_program(self.runtime)
        return Launch(process, root, Way.RUNTIME, runtime, network_program=network_of(process))
