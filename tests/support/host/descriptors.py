"""The open files of processes."""

import gc
import os
import re
from collections import Counter
from contextlib import suppress
from pathlib import Path

_NUMBER = re.compile(r":\[\d+\]$")  # of a pipe or socket


def open_files(pid: int | None = None) -> list[str]:
    """Return the targets of the descriptors of a process, sorted; without a pid of this one.

    Objects of earlier tests are collected first: otherwise their descriptors may be closed between
    two calls.
    """
    if pid is None:
        gc.collect()
    found = []
    place = f"/proc/{'self' if pid is None else pid}/fd"
    with suppress(OSError):  # the process has ended
        for name in os.listdir(place):
            with suppress(OSError):  # the descriptor of the listing itself
                found.append(_NUMBER.sub("", os.readlink(f"{place}/{name}")))
    return sorted(found)


def opened_since(before: list[str]) -> list[str]:
    """List what this process has open in addition to ``before``, a result of ``open_files``.

    A thread of an earlier test may close one of its own meanwhile.
    """
    return sorted((Counter(open_files()) - Counter(before)).elements())


def open_below(place: Path, *pids: int) -> list[str]:
    """Return the open files of the processes in or below ``place``."""
    return [
        path
        for pid in pids
        for path in open_files(pid)
        if path == str(place) or path.startswith(f"{place}/")
    ]
