"""Processes that stand by: each is in its new namespaces already, and is told what to become.

Half of what a short step takes is the fork, what a fork pays for at first, and mounts that all
steps have: none of it needs to know the step.
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
from img.adapters.executor.launch import Kind, Request, Way, read_launch, receive, rehearse
from img.adapters.executor.system_mounts import SystemMounts
from img.adapters.linux import capabilities, launcher, syscalls
from img.adapters.linux.hierarchies import Hierarchy
from img.domain.dataclass import dataclass
from img.domain.filesystem.ownership import lookup_user

_SOCKETS = ("supervisor", "network")

_Become = Callable[..., NoReturn]
"""What a process becomes: given a launch, the channel to report to, and more by name."""


@dataclass(frozen=True, slots=True)
class Standby:
    """A child that waits."""

    kind: Kind
    pid: int
    pidfd: int
    line: socket.socket

    def is_there(self) -> bool:
        """Tell whether nothing has killed it."""
        return os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def become(self, needed: Sequence[int], lines: Mapping[str, int]) -> None:
        """Let it become a step; it ends as the step does, or has ended if something killed it.

        ``needed`` are the descriptors of the launch in a file, the channel, stdout and stderr.
        """
        with suppress(BrokenPipeError, ConnectionResetError):
            message = " ".join(["become", *lines]).encode()
            socket.send_fds(self.line, [message], [*needed, *lines.values()])
        self.line.close()

    def dismiss(self) -> None:
        """End it."""
        self.line.close()
        signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.pidfd)


def stand_by(kind: Kind, groups: tuple[Hierarchy, ...]) -> Standby:
    """Return a new one. Raises OSError where the system refuses namespaces.

    ``groups`` are the control groups of this process.
    """
    become = _becoming(kind.way)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        pid, pidfd = syscalls.fork_into(kind.namespaces)
    except OSError:
        ours.close()
        raise
    if pid == 0:
        _wait(theirs, kind, groups, become)
    theirs.close()
    return Standby(kind, pid, pidfd, ours)


class Standbys:
    """The one that stands by, if any does."""

    def __init__(self) -> None:
        self._waiting: Standby | None = None
        self._last: Kind | None = None
        self._mounts = _MountTable()
        self._groups = OwnGroups(_MountTable().has_changed)

    def take(self, kind: Kind) -> Standby:
        """Return a process of the ``kind`` that can become a step now. Raises OSError."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            # What was mounted since it has not got.
            if waiting.kind == kind and waiting.is_there() and not self._mounts.has_changed():
                return waiting
            waiting.dismiss()
        return self._new(kind)

    def add(self, request: Request) -> None:
        """Have one stand by, if the next step may be expected to be like this one.

        Who stands by would keep a root that was mounted for its step from being unmounted.
        """
        kind = request.kind
        expected, self._last = self._last in (None, kind), kind
        if expected and kind.way.isolated and not request.mounted:
            self._mounts.has_changed()  # so far
            with suppress(OSError):  # there are as many namespaces as there may be
                self._waiting = self._new(kind)

    def dismiss(self) -> None:
        """Have none stand by."""
        if self._waiting is not None:
            self._waiting.dismiss()
            self._waiting = None

    def _new(self, kind: Kind) -> Standby:
        return stand_by(kind, self._groups.now() if kind.way.isolated else ())


class _MountTable:
    """Tells of mounts that come and go in this namespace (proc_pid_mountinfo(5))."""

    def __init__(self) -> None:
        self._file = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._file, select.POLLPRI)

    def has_changed(self) -> bool:
        """Tell whether there was a change since this was asked the last time."""
        return bool(self._poll.poll(0))


def _wait(
    line: socket.socket, kind: Kind, groups: tuple[Hierarchy, ...], become: _Become
) -> NoReturn:
    try:
        first_process.die_with_parent()
        if kind.way.isolated:
            first_process.leave_session()
        syscalls.close_descriptors(but=line.fileno())
        system = _mounts_ahead(kind, groups) if kind.way.isolated else None
        start = _prepare(kind) if kind.way.isolated else None
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
                if kind.way.isolated:
                    lines["system"] = system or SystemMounts(kind.system, groups)
                if start is not None:
                    lines["start"] = start
                become(read_launch(order), reporting, **lines)
    finally:
        os._exit(127)


def _mounts_ahead(kind: Kind, groups: tuple[Hierarchy, ...]) -> SystemMounts | None:
    try:
        return SystemMounts(kind.system, groups)
    except Exception:  # it is tried again when there is somebody to tell
        return None


def _prepare(kind: Kind) -> int | None:
    """Do what needs no step; return the launcher's file, where one is needed.

    What is only rehearsed takes pages of its own now, which a fork shares with its parent first.
    """
    try:
        rehearse()
        lookup_user("", "", "")
        if kind.way is not Way.UNSHARE:
            return None
        if kind.system.confined:
            capabilities.limit_to(privileges.allowed_capabilities(kind.network))
        return launcher.new_file()
    except OSError:  # it is tried again when it can be reported
        return None


def _becoming(way: Way) -> _Become:
    match way:
        case Way.UNSHARE:
            return first_process.become
        case Way.RUNTIME:
            from img.adapters.executor import runtime_starter

            return runtime_starter.become
        case Way.CHROOT:
            from img.adapters.executor import chroot_watcher, proc_supervision

            proc_supervision.prepare()
            return chroot_watcher.become
        case Way.PROOT:
            from img.adapters.executor import proot_watcher

            return proot_watcher.become
