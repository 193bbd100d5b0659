"""Parents, children and groups of processes, from /proc."""

import os
from collections.abc import Container, Iterator, Mapping, Sequence

from img.adapters.linux import small_files


def children_of_all(proc: str = "/proc") -> Mapping[int, Sequence[int]]:
    """Return the children of all processes, by parent."""
    children: dict[int, list[int]] = {}
    for name in os.listdir(proc):
        if name.isdecimal() and (parent := parent_of(name, proc)) is not None:
            children.setdefault(parent, []).append(int(name))
    return children


def parent_of(pid: str | int, proc: str = "/proc") -> int | None:
    """Return the parent of a process, None if the process does not exist."""
    return _number(pid, proc, 1)


def group_of(pid: str | int, proc: str = "/proc") -> int | None:
    """Return the process group of a process, None if the process does not exist."""
    return _number(pid, proc, 2)


def descendants_of(
    ancestor: int, children: Mapping[int, Sequence[int]], *, but: Container[int] = ()
) -> Iterator[int]:
    """Yield all descendants of ``ancestor``, except the processes ``but`` and their descendants."""
    todo = [pid for pid in children.get(ancestor, ()) if pid not in but]
    while todo:
        pid = todo.pop()
        yield pid
        todo += children.get(pid, ())


def _number(pid: str | int, proc: str, field: int) -> int | None:
    try:
        status = small_files.read_start(f"{proc}/{pid}/stat")
        return int(status.rpartition(b")")[2].split()[field])
    except (OSError, IndexError):  # the process has just ended
        return None
