"""Steps in containers of a runtime that implements runtime-spec: runc or crun."""

from img.adapters.executor.find_on_host import find_program
from img.adapters.executor.launch import Launch, LaunchMode
from img.adapters.executor.unshare import network_of
from img.domain.process import Process, Root


class RuntimeLauncher:
    """runc, crun, or a runtime with the options of one of them, in the namespaces of a build.

    Slower than UnshareLauncher (crun nearly twice, runc four times), for users who have reasons to
    trust a runtime more.
    """

    def __init__(self, runtime: str = "runc") -> None:
        self.runtime = runtime

    def require(self) -> None:
        """Raise ExecutorUnavailable unless the runtime is installed."""
        find_program(self.runtime)

    def launch(self, process: Process, root: Root) -> Launch:
        """Return the description of the step for the fork server."""
        runtime = find_program(self.runtime)
        return Launch(
            process, root, LaunchMode.RUNTIME, runtime, network_program=network_of(process)
        )
