"""The fork server's records of running steps."""

import os
import signal
import socket
from typing import Self

from img.adapters.executor import reports
from img.adapters.executor.launch import LaunchMode
from img.adapters.executor.reports import Refused
from img.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Helper:
    """A process that a step depends on."""

    pid: int
    pidfd: int
    messages: int = -1  # the file with its error messages

    def close(self) -> None:
        """Close the descriptors of the process."""
        os.close(self.pidfd)
        if self.messages >= 0:
            os.close(self.messages)


@dataclass(frozen=True, slots=True)
class RuntimeLog:
    """The log file of a runtime, with the reason why it could not start a step."""

    file: int

    @classmethod
    def new(cls) -> Self:
        """Return an empty log."""
        return cls(os.memfd_create("img-log"))

    def fileno(self) -> int:
        """Return the descriptor of the log."""
        return self.file

    def close(self) -> None:
        """Close the log."""
        os.close(self.file)

    def failure(self, cwd: str) -> str:
        """Return the reason, "" if the runtime could start a step in that directory."""
        from img.adapters.executor import runtime_starter

        return runtime_starter.failure_in(self.file, cwd)


@dataclass(frozen=True, slots=True)
class StartedStep:
    """A process that is a step, or watches over one, and its resources."""

    pid: int
    pidfd: int
    channel: socket.socket
    mode: LaunchMode
    cwd: str
    helpers: tuple[Helper, ...]
    log: RuntimeLog | None

    @property
    def is_watched(self) -> bool:
        """True if the pid is that of a process that watches over the step, and cleans up."""
        return self.mode in (LaunchMode.CHROOT, LaunchMode.PROOT)

    def kill(self) -> None:
        """Kill the process and all its descendants."""
        number = signal.SIGTERM if self.is_watched else signal.SIGKILL
        signal.pidfd_send_signal(self.pidfd, number)

    @property
    def watched(self) -> tuple[int, ...]:
        """Return the descriptors to poll for events."""
        mine = (self.pidfd, self.channel.fileno())
        return (*mine, *(helper.pidfd for helper in self.helpers))

    def end_helpers(self) -> None:
        """End the helpers of the step."""
        for helper in self.helpers:
            signal.pidfd_send_signal(helper.pidfd, signal.SIGKILL)
            os.waitpid(helper.pid, 0)

    def report_end_of_helper(self, pidfd: int) -> None:
        """Report why a helper ended before the step did, unless the helper reports it itself."""
        for helper in self.helpers:
            if helper.pidfd == pidfd and helper.messages >= 0:
                from img.adapters.executor import private_network

                why = private_network.last_message(helper.messages)
                reports.send(self.channel, Refused(f"slirp4netns ended: {why}"))

    def close(self) -> None:
        """Close all descriptors."""
        os.close(self.pidfd)
        self.channel.close()
        if self.log is not None:
            self.log.close()
        for helper in self.helpers:
            helper.close()
