"""Steps in namespaces that img makes itself: no runtime, no daemon."""

from img.adapters.executor.launch import Launch, LaunchMode
from img.adapters.syscall_supervisor.root.level import Emulation
from img.domain.process import Network, Process, Root


class UnshareLauncher:
    """Linux namespaces straight from Python; this process must be inside a user namespace already.

    ``emulation`` is how much of root is emulated where the namespace has one id; None elsewhere.
    """

    def __init__(self, emulation: Emulation | None = None) -> None:
        self._emulation = emulation

    def require(self) -> None:
        """Do nothing: namespaces are all this launcher needs."""

    def usual(self) -> Launch:
        """Return the description of a step without options."""
        return Launch.usual(LaunchMode.UNSHARE, self._emulation)

    def launch(self, process: Process, root: Root) -> Launch:
        """Return the description of the step for the fork server."""
        network = network_of(process)
        return Launch(process, root, emulation=self._emulation, network_program=network)


def network_of(process: Process) -> str:
    """Return the program that makes a private network, "" without one.

    Raises ExecutorUnavailable.
    """
    if process.network is not Network.PRIVATE:
        return ""
    from img.adapters.executor import private_network

    return private_network.require()
