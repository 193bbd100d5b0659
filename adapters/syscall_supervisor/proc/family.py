"""Which processes are the step's, and what they may do to others: nothing."""

import ctypes
import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial

from img.adapters.linux import processes
from img.adapters.syscall_supervisor.listener import Notification
from img.adapters.syscall_supervisor.proc.callers import Callers, status_of, user_of
from img.adapters.syscall_supervisor.proc.filters import REACHING
from img.adapters.syscall_supervisor.replies import Answer, Reply

_HERE = "."  # /proc is the working directory


class Family:
    """All that descends from this process, which has to gather orphans."""

    def __init__(self) -> None:
        self._ancestor = os.getpid()

    def has(self, pid: int) -> bool:
        """Tell whether a process or thread is the step's."""
        parent = processes.parent_of(pid, _HERE)
        while parent and parent != self._ancestor:
            parent = processes.parent_of(parent, _HERE)
        return parent == self._ancestor

    def members(self) -> Iterator[int]:
        """Yield all processes of the step."""
        return processes.descendants_of(self._ancestor, processes.children_of_all(_HERE))


class ReachingCalls:
    """kill(2), ptrace(2) and their like: other processes of the container do not exist for them.

    The numbers are in registers: what was checked is what the kernel does then.
    """

    def __init__(self, family: Family, callers: Callers) -> None:
        self._family = family
        self._callers = callers

    def handlers(self) -> Mapping[str, Callable[[Notification], Answer]]:
        """Return what answers each call."""
        checked = {call: partial(self._check, which) for call, which in REACHING.items()}
        return {**checked, "kill": self._kill}

    def _check(self, which: tuple[int, ...], call: Notification) -> Answer:
        for argument in which:
            self._need(call, _signed(call.arguments[argument]))
        return Reply.LET_PASS

    def _need(self, call: Notification, pid: int) -> None:
        own = pid == call.pid or os.path.exists(f"{call.pid}/task/{pid}")
        if pid > 0 and not own and not self._family.has(pid):
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))

    def _kill(self, call: Notification) -> Answer:
        target, number = (_signed(value) for value in call.arguments[:2])
        if target > 0:
            self._need(call, target)
        elif target == -1:
            return self._kill_all(call, number)
        elif target < -1:
            self._need_group(-target)
        return Reply.LET_PASS  # 0 is the caller's own group, which is in the step's session

    def _need_group(self, group: int) -> None:
        """Refuse groups with anybody else in it; all of one are in one session (setpgid(2))."""
        members = [name for name in os.listdir(_HERE) if name.isdecimal()]
        found = [int(pid) for pid in members if processes.group_of(pid, _HERE) == group]
        if not found or not all(map(self._family.has, found)):
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))

    def _kill_all(self, call: Notification, number: int) -> Answer:
        """Do what the kernel would do to everybody, to the step's alone (kill(2), "-1")."""
        caller = int(status_of(call.pid)[b"Tgid"])
        self._callers.be(user_of(call.pid))
        done = False
        for pid in self._family.members():
            if pid != caller:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
                    done = True
        if not done:
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
        return 0


def _signed(value: int) -> int:
    return ctypes.c_int(value & 0xFFFF_FFFF).value
