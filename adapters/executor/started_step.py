"""What the fork server holds of each step that runs."""

import errno
import os
import signal
import socket
import time
from typing import Self

from img.adapters.executor import reports
from img.adapters.executor.launch import Way
from img.adapters.executor.reports import Refused
from img.domain.dataclass import dataclass

_ATTEMPTS, _PAUSE_S = 300, 0.01  # to remove a control group: a busy machine takes its time


@dataclass(frozen=True, slots=True)
class Helper:
    """A process without which a step cannot go on."""

    pid: int
    pidfd: int
    said: int = -1  # the file in which it says why it ends

    def close(self) -> None:
        os.close(self.pidfd)
        if self.said >= 0:
            os.close(self.said)


@dataclass(frozen=True, slots=True)
class RuntimeLog:
    """Where a runtime says why it could not start a step."""

    file: int

    @classmethod
    def new(cls) -> Self:
        """Return an empty one."""
        return cls(os.memfd_create("img-log"))

    def fileno(self) -> int:
        return self.file

    def close(self) -> None:
        os.close(self.file)

    def failure(self, cwd: str) -> str:
        """Return why, "" if it could start a step in that directory."""
        from img.adapters.executor import runtime_starter

        return runtime_starter.failure_in(self.file, cwd)


@dataclass(frozen=True, slots=True)
class StartedStep:
    """A process that is a step, or watches over one, and what belongs to it."""

    pid: int
    pidfd: int
    channel: socket.socket
    way: Way
    control_groups: tuple[str, ...]
    cwd: str
    helpers: tuple[Helper, ...]
    log: RuntimeLog | None

    @property
    def is_watched(self) -> bool:
        """Whether the pid is that of a process that watches over the step, and tidies up."""
        return self.way in (Way.CHROOT, Way.PROOT)

    def kill(self) -> None:
        """End it and all it started."""
        number = signal.SIGTERM if self.is_watched else signal.SIGKILL
        signal.pidfd_send_signal(self.pidfd, number)

    @property
    def watched(self) -> tuple[int, ...]:
        """The descriptors on which something may happen."""
        mine = (self.pidfd, self.channel.fileno())
        return (*mine, *(helper.pidfd for helper in self.helpers))

    def end_helpers(self) -> None:
        """End what works for the step: nobody needs it any more."""
        for helper in self.helpers:
            signal.pidfd_send_signal(helper.pidfd, signal.SIGKILL)
            os.waitpid(helper.pid, 0)

    def complain_of(self, pidfd: int) -> None:
        """Tell why a helper ended before the step did, unless it does so itself."""
        for helper in self.helpers:
            if helper.pidfd == pidfd and helper.said >= 0:
                from img.adapters.executor import private_network

                why = private_network.complaint(helper.said)
                reports.send(self.channel, Refused(f"slirp4netns ended: {why}"))

    def remove_groups(self) -> None:
        """Remove the control groups of the ended step, where nobody is left to do it."""
        for group in self.control_groups:
            _remove_group(group)

    def close(self) -> None:
        """Close all descriptors."""
        os.close(self.pidfd)
        self.channel.close()
        if self.log is not None:
            self.log.close()
        for helper in self.helpers:
            helper.close()


def _remove_group(group: str) -> None:
    for _ in range(_ATTEMPTS):
        try:
            os.rmdir(group)
        except OSError as error:
            if error.errno != errno.EBUSY:
                return
            time.sleep(_PAUSE_S)  # the last of its processes is not quite gone
        else:
            return
