"""Standby processes: each has its new namespaces already, and waits for a step to run.

Half of the time of a short step is for the fork, for page faults after it, and for mounts that all
steps have: none of that depends on the step.
"""

import os
import select
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import NoReturn

from img.adapters.executor import first_process, privileges, reports
from img.adapters.executor.group_mounts import OwnGroups
from img.adapters.executor.launch import (
    LaunchMode,
    Request,
    StandbyKey,
    read_launch,
    receive,
)
from img.adapters.executor.system_mounts import SystemMounts
from img.adapters.linux import capabilities, launcher, syscalls
from img.adapters.linux.hierarchies import Hierarchy
from img.domain.dataclass import dataclass

_SOCKETS = ("supervisor", "network")
_OWN_FIRST_PROCESS = (LaunchMode.UNSHARE, LaunchMode.CHROOT)  # no other program starts the step

_Run = Callable[..., NoReturn]
"""Runs a step, given its launch, the channel for reports, and further arguments by name."""


@dataclass(frozen=True, slots=True)
class Standby:
    """A waiting child process."""

    key: StandbyKey
    pid: int
    pidfd: int
    line: socket.socket

    def is_alive(self) -> bool:
        """Tell whether the process is still alive."""
        return os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def run_step(self, needed: Sequence[int], lines: Mapping[str, int]) -> None:
        """Let the process run a step. It may have been killed already; then the step ends at once.

        ``needed`` are the descriptors of the launch in a file, the channel, stdout and stderr.
        """
        with suppress(BrokenPipeError, ConnectionResetError):
            message = " ".join(["run", *lines]).encode()
            socket.send_fds(self.line, [message], [*needed, *lines.values()])
        self.line.close()

    def dismiss(self) -> None:
        """End the process."""
        self.line.close()
        signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.pidfd)


def stand_by(key: StandbyKey, groups: tuple[Hierarchy, ...]) -> Standby:
    """Return a new standby process. Raises OSError if the system refuses namespaces.

    ``groups`` are the control groups of this process.
    """
    run = _runner_of(key.mode)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        pid, pidfd = syscalls.fork_into(key.namespaces)
    except OSError:
        ours.close()
        raise
    if pid == 0:
        _wait(theirs, key, groups, run)
    theirs.close()
    return Standby(key, pid, pidfd, ours)


class StandbyPool:
    """At most one standby process."""

    def __init__(self) -> None:
        self._waiting: Standby | None = None
        self._last: StandbyKey | None = None
        self._mounts = _MountTable()
        self._groups = OwnGroups(_MountTable().has_changed)

    def take(self, key: StandbyKey) -> Standby:
        """Return a process that can run a step with the key ``key`` now. Raises OSError."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            # If it has mounts of its own, it lacks those that were made since then.
            outdated = key.mode.isolated and self._mounts.has_changed()
            if waiting.key == key and waiting.is_alive() and not outdated:
                return waiting
            waiting.dismiss()
        return self._new(key)

    def expect(self, key: StandbyKey) -> None:
        """Create a standby process for the first step, if none has run."""
        if self._last is None and self._waiting is None:
            self._stand_by(key)

    def add(self, request: Request) -> None:
        """Create a standby process, if the next step is likely to be similar to this one.

        A standby process with mounts of its own would keep a root that was mounted for its step
        from being unmounted.
        """
        key = request.key
        expected, self._last = self._last in (None, key), key
        if expected and not (key.mode.isolated and request.mounted):
            self._stand_by(key)

    @property
    def pids(self) -> tuple[int, ...]:
        """Return the pid of the standby process, if there is one."""
        return () if self._waiting is None else (self._waiting.pid,)

    def dismiss(self) -> None:
        """End the standby process, if there is one."""
        if self._waiting is not None:
            self._waiting.dismiss()
            self._waiting = None

    def _stand_by(self, key: StandbyKey) -> None:
        self._mounts.has_changed()  # so far
        with suppress(OSError):  # the limit of namespaces is reached
            self._waiting = self._new(key)

    def _new(self, key: StandbyKey) -> Standby:
        return stand_by(key, self._groups.now() if key.mode.isolated else ())


class _MountTable:
    """A monitor of changes to the mounts in this namespace (proc_pid_mountinfo(5))."""

    def __init__(self) -> None:
        self._file = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._file, select.POLLPRI)

    def has_changed(self) -> bool:
        """Tell whether mounts have changed since the last call."""
        return bool(self._poll.poll(0))


def _wait(
    line: socket.socket, key: StandbyKey, groups: tuple[Hierarchy, ...], run: _Run
) -> NoReturn:
    try:
        first_process.die_with_parent()
        if key.mode.isolated:
            first_process.leave_session()
        syscalls.close_descriptors(but=line.fileno())
        system = _prepare_mounts(key, groups) if key.mode.isolated else None
        start = _prepare(key)
        message, descriptors = receive(line)
        if message:
            order, channel, stdout, stderr, *others = descriptors
            reporting = socket.socket(fileno=channel)
            with reports.failures(reporting):
                lines: dict[str, object] = {
                    name: socket.socket(fileno=other) if name in _SOCKETS else other
                    for name, other in zip(message.decode().split()[1:], others, strict=True)
                }
                os.dup2(stdout, 1)
                os.dup2(stderr, 2)
                if key.mode.isolated:
                    lines["system"] = system or SystemMounts(key.system, groups)
                if start is not None:
                    lines["start"] = start
                run(read_launch(order), reporting, **lines)
    finally:
        os._exit(127)


def _prepare_mounts(key: StandbyKey, groups: tuple[Hierarchy, ...]) -> SystemMounts | None:
    try:
        return SystemMounts(key.system, groups)
    except Exception:  # repeated when the error can be reported
        return None


def _prepare(key: StandbyKey) -> int | None:
    """Prepare what does not depend on the step; return the launcher's file, if needed."""
    try:
        if key.mode in _OWN_FIRST_PROCESS and key.system.confined:
            capabilities.limit_to(privileges.allowed_capabilities(key.network))
        return launcher.new_file() if key.mode is LaunchMode.UNSHARE else None
    except OSError:  # repeated when the error can be reported
        return None


def _runner_of(mode: LaunchMode) -> _Run:
    match mode:
        case LaunchMode.UNSHARE:
            return first_process.run_first_process
        case LaunchMode.RUNTIME:
            from img.adapters.executor import runtime_starter

            return runtime_starter.run_runtime
        case LaunchMode.CHROOT:
            from img.adapters.executor import chroot_watcher, proc_supervision

            proc_supervision.prepare()
            return chroot_watcher.run_chroot_step
        case LaunchMode.PROOT:
            from img.adapters.executor import proot_watcher

            return proot_watcher.run_proot_step
