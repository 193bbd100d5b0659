"""Running a process in a root file system."""

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from img.application.ports.terminal import Terminal
from img.domain.errors import BuildError, HostError
from img.domain.process import ExitStatus, Process, Root

if TYPE_CHECKING:  # a process in a step's root has few modules
    from img.domain.oci.chain import Layer


class ExecutorUnavailable(HostError):
    """The executor does not work on this machine; ``hint`` names a remedy."""


class ProcessNotStarted(BuildError):
    """The command could not be started: not found, not executable, no such user, bad mount."""

    kept: "Layer | None" = None  # the changes of its root, if a build keeps them


class Cancellation(Protocol):
    """A request to stop; ``threading.Event`` implements it."""

    @abstractmethod
    def is_set(self) -> bool:
        """Return whether a stop was requested."""

    @abstractmethod
    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the request, at most ``timeout`` seconds. Return whether it was made."""


OutputSink = Callable[[int, bytes], None]
"""Called with output of a process: (1 for stdout or 2 for stderr, bytes)."""


class Executor(Protocol):
    """Processes of build steps; several threads may run one each at the same time.

    The process sees a Linux container as in runtime-spec: a new /proc, /dev with the
    standard nodes, /sys read-only, masked paths, Docker's default capabilities, its own pid,
    ipc, uts and mount namespaces, empty stdin. It is pid 1: its child processes end with it.
    The executor leaves no files in the root: it removes the mount points that it made and
    restores the times of their parents. If img is killed, the processes end too.
    """

    def require(self) -> None:
        """Raise ExecutorUnavailable if it is known already that no process can run.

        Called before a root is prepared; takes no time.
        """
        return

    @abstractmethod
    def run(
        self,
        process: Process,
        root: Root,
        output: OutputSink,
        cancelled: Cancellation,
        terminal: Terminal | None = None,
    ) -> ExitStatus:
        """Run ``process`` to its end and return its status.

        When ``cancelled`` is set, the process and its children are killed and the code is 128 + 9.
        A process with a terminal gets a new pseudo-terminal, which is connected to ``terminal``,
        and is killed if that is gone.
        Raises ProcessNotStarted, ExecutorUnavailable.
        """

    @abstractmethod
    def close(self) -> None:
        """End helper processes and kill running steps. Idempotent."""
