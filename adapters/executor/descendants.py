"""All that a process started, where no pid namespace keeps it together."""

import os
import signal
import time
from collections.abc import Container

from img.adapters.linux.processes import children_of_all, descendants_of

_PATIENCE_S = 5.0  # what does not die in that time may not be killed by us


def kill_all(*, but: Container[int] = ()) -> None:
    """Kill what descends from this process, and reap it; children in ``but`` are left alone.

    This process has to be a subreaper (prctl(2)): orphans are its children then, however often
    they fork or leave their session.
    """
    if not but and not _has_children():
        return
    deadline = time.monotonic() + _PATIENCE_S
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
    """Kill what descends from this process once ``tracer``, a child of it, has no child itself.

    That was the command, and what it left behind is ours, though ``tracer`` waits for it.
    """
    children = children_of_all()
    if not children.get(tracer):
        for pid in descendants_of(os.getpid(), children, but=(tracer,)):
            _kill(pid)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:  # gone, or not ours to kill
        return


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:  # a grandchild; it is ours as soon as its parent is gone
        return
