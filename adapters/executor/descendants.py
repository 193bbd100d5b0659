"""Killing all descendants of this process, without a pid namespace."""

import os
import signal
import time
from collections.abc import Container

from img.adapters.linux.processes import children_of_all, descendants_of

_TIMEOUT_S = 5.0  # a process that still lives after that time cannot be killed by this one


def kill_all(*, but: Container[int] = ()) -> None:
    """Kill and reap all descendants of this process, except the children in ``but``.

    This process has to be a subreaper (prctl(2)): orphans become its children, even if they fork or
    leave their session.
    """
    if not but and not _has_children():
        return
    deadline = time.monotonic() + _TIMEOUT_S
    while found := list(descendants_of(os.getpid(), children_of_all(), but=but)):
        for pid in found:
            _kill(pid)
        for pid in found:
            _reap(pid)
        if time.monotonic() > deadline:
            return
        time.sleep(0.0005)


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def kill_orphans_beside(tracer: int) -> None:
    """Kill the descendants of this process when ``tracer``, one of its children, has no child left.

    The traced command has ended then; the processes it left behind keep ``tracer`` waiting.
    """
    children = children_of_all()
    if not children.get(tracer):
        for pid in descendants_of(os.getpid(), children, but=(tracer,)):
            _kill(pid)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:  # gone, or not permitted
        return


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:  # a grandchild; it becomes our child when its parent ends
        return
