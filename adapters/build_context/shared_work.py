"""A few tasks done by this process and forked ones, so that several processors do them."""

import os
import signal
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import NoReturn

MOST_TASKS = 256
_MOST_PROCESSES = 4

Task = Callable[[int], bytes]
"""Does the task of a number in another process, and returns its result."""

_HEAD = struct.Struct("=BQ")  # number of the task, length of its result


def do(count: int, here: Callable[[int], None], there: Task) -> Mapping[int, bytes]:
    """Do the tasks 0 to ``count`` - 1, at most MOST_TASKS; each process takes the next one.

    This process does its tasks by ``here``, forked ones theirs by ``there``; the results of
    ``there`` are returned. What a forked process fails to do is done here too, and raises here.
    ``there`` must take no locks, which another thread may hold at the fork, and start no thread.
    """
    turns, numbers = os.pipe()
    os.write(numbers, bytes(range(count)))  # the process that reads a number does the task
    os.close(numbers)
    others: list[_Forked] = []
    try:
        with suppress(OSError):  # no process or no memory: the others do more
            for _ in range(min(len(os.sched_getaffinity(0)), _MOST_PROCESSES) - 1):
                others.append(_Forked(turns, there))
        left = {*range(count)}
        for number in _taken(turns):
            here(number)
            left.remove(number)
        results = {number: result for other in others for number, result in other.results()}
        for number in sorted(left - results.keys()):
            here(number)
        return results
    finally:
        os.close(turns)
        for other in others:
            other.close()


def _taken(turns: int) -> Iterator[int]:
    while number := os.read(turns, 1):
        yield number[0]


class _Forked:
    """A process that takes tasks until there are none."""

    def __init__(self, turns: int, work: Task) -> None:
        # A file and no pipe, the other end of which processes of other threads may inherit.
        self._file = os.memfd_create("results", os.MFD_CLOEXEC)
        try:
            self._pid = os.fork()
        except OSError:
            os.close(self._file)
            raise
        if self._pid == 0:
            self._work(turns, work)

    def _work(self, turns: int, work: Task) -> NoReturn:
        code = 1
        try:
            with open(self._file, "wb", closefd=False) as file:
                for number in _taken(turns):
                    result = work(number)
                    file.write(_HEAD.pack(number, len(result)))
                    file.write(result)
            code = 0
        finally:
            os._exit(code)

    def results(self) -> Iterator[tuple[int, bytes]]:
        """Wait for the end, and yield the results by number; none if the process failed."""
        pid, self._pid = self._pid, 0
        if os.waitpid(pid, 0)[1]:
            return
        with open(self._file, "rb", closefd=False) as file:
            file.seek(0)
            while head := file.read(_HEAD.size):
                number, size = _HEAD.unpack(head)
                yield number, file.read(size)

    def close(self) -> None:
        """Kill the process if it still works."""
        os.close(self._file)
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
