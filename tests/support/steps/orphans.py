"""Processes that outlive a program: its orphans become children of the process that tests."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from img.adapters.linux import syscalls
from tests.support.host.waiting import wait_while


class Orphans:
    """Descendants of this process that are newer than this object, and not reaped."""

    def __init__(self) -> None:
        self._before = set(_descendants(os.getpid()))

    def living(self) -> list[str]:
        """Return those that run, as "pid: command line"; reap those that have ended."""
        found = []
        for pid in _descendants(os.getpid()) - self._before:
            if _state(pid) == "Z":
                with suppress(ChildProcessError):  # a grandchild: its parent's to reap
                    os.waitpid(pid, os.WNOHANG)
            elif command := _command_line(pid):
                found.append(f"{pid}: {command}")
        return found

    def wait(self, patience_s: float) -> list[str]:
        """Return the processes that still run after at most ``patience_s``."""
        return wait_while(self.living, patience_s=patience_s)

    def kill(self) -> None:
        """End them, for the tests that come after."""
        for pid in _descendants(os.getpid()) - self._before:
            with suppress(ProcessLookupError):
                os.kill(pid, 9)
        self.wait(5)


@contextmanager
def gathered() -> Iterator[Orphans]:
    """Become the parent of orphaned descendants (prctl(2), PR_SET_CHILD_SUBREAPER)."""
    orphans = Orphans()
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield orphans
    finally:
        orphans.kill()
        syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 0)


def _descendants(ancestor: int) -> set[int]:
    children: dict[int, list[int]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError, IndexError):
            children.setdefault(int(_status(int(name))[1]), []).append(int(name))
    found, todo = set(), [ancestor]
    while todo:
        for pid in children.get(todo.pop(), ()):
            found.add(pid)
            todo.append(pid)
    return found


def _status(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on (proc(5))."""
    return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()


def _state(pid: int) -> str:
    try:
        return _status(pid)[0]
    except (OSError, IndexError):
        return "Z"


def _command_line(pid: int) -> str:
    """Return the command line of ``pid``, "" when it has just ended."""
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
        return line.decode("utf-8", "replace") or Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return ""
