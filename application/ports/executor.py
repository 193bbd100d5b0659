"""One process in one root file system."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Protocol

from img.domain.errors import BuildError, HostError
from img.domain.process import ExitStatus, Process, Root


class ExecutorUnavailable(HostError):
    """This machine does not allow this executor to work; ``hint`` says what would."""


class ProcessNotStarted(BuildError):
    """The command could not be started: not found, not executable, no such user, bad mount."""


class Cancellation(Protocol):
    """Somebody may ask a running process to stop (``threading.Event`` fits)."""

    @abstractmethod
    def is_set(self) -> bool: ...

    @abstractmethod
    def wait(self, timeout: float | None = None) -> bool: ...


OutputSink = Callable[[int, bytes], None]
"""Receives (1 for stdout, 2 for stderr; some bytes as they came)."""


class Executor(Protocol):
    """Runs processes as steps of a build, several at the same time from several threads.

    The process sees what runtime-spec's Linux container sees: a fresh /proc, /dev with the
    standard nodes, /sys read-only, masked paths, Docker's default capabilities, its own pid,
    ipc, uts and mount namespaces, stdin empty. It is pid 1: when it ends, all it started ends.
    Nothing of the executor's own stays in the root: mount points it had to make are removed and
    the times of their parents restored.
    """

    def require(self) -> None:
        """Raise ExecutorUnavailable where nothing could be run; to be asked before a root is made.

        Costs nothing, so that it finds only what is known already.
        """
        return

    @abstractmethod
    def run(
        self, process: Process, root: Root, output: OutputSink, cancelled: Cancellation
    ) -> ExitStatus:
        """Run ``process`` to its end and return how it ended.

        When ``cancelled`` is set the process and all it started are killed and the status is
        128 + 9. Raises ProcessNotStarted, ExecutorUnavailable.
        """

    @abstractmethod
    def close(self) -> None:
        """End helpers; kills what still runs. Idempotent."""
