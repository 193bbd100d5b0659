"""The process tree of a step, and the calls with which it could reach other processes."""

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


class ProcessTree:
    """The descendants of this process, which has to be their subreaper."""

    def __init__(self) -> None:
        self._ancestor = os.getpid()

    def has(self, pid: int) -> bool:
        """Tell whether a process or thread belongs to the step."""
        parent = processes.parent_of(pid, _HERE)
        while parent and parent != self._ancestor:
            parent = processes.parent_of(parent, _HERE)
        return parent == self._ancestor

    def members(self) -> Iterator[int]:
        """Yield all processes of the step."""
        return processes.descendants_of(self._ancestor, processes.children_of_all(_HERE))


class ReachingCalls:
    """Handlers for kill(2), ptrace(2) and similar calls, which only reach the step's processes.

    The numbers are in registers: the kernel uses the values that were checked.
    """

    def __init__(self, tree: ProcessTree, callers: Callers) -> None:
        self._tree = tree
        self._callers = callers

    def handlers(self) -> Mapping[str, Callable[[Notification], Answer]]:
        """Return the handler of each call."""
        checked = {call: partial(self._check, which) for call, which in REACHING.items()}
        return {**checked, "kill": self._kill}

    def _check(self, which: tuple[int, ...], call: Notification) -> Answer:
        for argument in which:
            self._need(call, _signed(call.arguments[argument]))
        return Reply.LET_PASS

    def _need(self, call: Notification, pid: int) -> None:
        own = pid == call.pid or os.path.exists(f"{call.pid}/task/{pid}")
        if pid > 0 and not own and not self._tree.has(pid):
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
        """Raise ProcessLookupError for groups with processes outside of the step.

        All processes of a group are in one session (setpgid(2)).
        """
        members = [name for name in os.listdir(_HERE) if name.isdecimal()]
        found = [int(pid) for pid in members if processes.group_of(pid, _HERE) == group]
        if not found or not all(map(self._tree.has, found)):
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))

    def _kill_all(self, call: Notification, number: int) -> Answer:
        """Send the signal to all processes of the step, not of the machine (kill(2), "-1")."""
        caller = int(status_of(call.pid)[b"Tgid"])
        self._callers.switch_to(user_of(call.pid))
        done = False
        for pid in self._tree.members():
            if pid != caller:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
                    done = True
        if not done:
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
        return 0


def _signed(value: int) -> int:
    return ctypes.c_int(value & 0xFFFF_FFFF).value
