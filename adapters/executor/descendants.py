"""All that a process started, where no pid namespace keeps it together."""

import os
import signal
import time
from collections.abc import Container, Iterator, Mapping, Sequence

_PATIENCE_S = 5.0  # what does not die in that time may not be killed by us


def kill_all(*, but: Container[int] = ()) -> None:
    """Kill what descends from this process, and reap it; children in ``but`` are left alone.

    This process has to be a subreaper (prctl(2)): orphans are its children then, however often
    they fork or leave their session.
    """
    if not but and not _has_children():
        return
    deadline = time.monotonic() + _PATIENCE_S
    while found := list(_descendants(os.getpid(), but, _children())):
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
    children = _children()
    if not children.get(tracer):
        for pid in _descendants(os.getpid(), (tracer,), children):
            _kill(pid)


def _descendants(
    ancestor: int, but: Container[int], children: Mapping[int, Sequence[int]]
) -> Iterator[int]:
    todo = [pid for pid in children.get(ancestor, ()) if pid not in but]
    while todo:
        pid = todo.pop()
        yield pid
        todo += children.get(pid, ())


def _children() -> Mapping[int, Sequence[int]]:
    """Return the children of all processes."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdecimal() and (parent := _parent(name)) is not None:
            children.setdefault(parent, []).append(int(name))
    return children


def _parent(pid: str) -> int | None:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except (OSError, IndexError):  # it has just ended
        return None


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
