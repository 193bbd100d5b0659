"""Work in several threads, in the order of its inputs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from heapq import heappop, heappush
from threading import Condition, Event, Thread
from typing import Generic, TypeVar

from img.application.cancellation import cancelled_by
from img.application.solver.results import Result
from img.domain.dataclass import dataclass
from img.domain.graph.vertex import Graph

THREADS = 8  # vertices at once; most of them wait for processes or the network
ON_CLUSTER = 256  # they wait for workers; how many there are is not known before the first step

_PAUSE_S = 0.5

_Result = TypeVar("_Result")

Solve = Callable[[int, Sequence[Result]], Result]
"""Returns the result of the vertex at a position from the results of its inputs."""


def solve_all(
    graph: Graph, target: int, solve: Solve, cancelled: Event, most: int = THREADS
) -> Mapping[int, Result]:
    """Return the results of ``target`` and its direct and indirect inputs, by position.

    ``most`` vertices are solved at a time. If a vertex fails or the caller is interrupted, set
    ``cancelled``, start no further vertices, wait for the running ones, and raise the first error.
    """
    inputs = {position: graph.vertices[position].inputs for position in graph.needed_for(target)}
    return run_all(inputs, solve, cancelled, most)


def run_all(
    inputs: Mapping[int, Sequence[int]],
    work: Callable[[int, Sequence[_Result]], _Result],
    cancelled: Event,
    most: int = THREADS,
) -> Mapping[int, _Result]:
    """Return the results of ``work`` for all of ``inputs``, with ``most`` of them at a time.

    Each gets the results of its inputs, and has ``cancelled`` as its cancellation. The one with the
    lowest number begins first. Errors are those of ``solve_all``.
    """
    running = _Running(inputs, work, cancelled, most)
    try:
        running.begin()
        running.wait()
    except BaseException:
        cancelled.set()
        running.wait()
        raise
    if running.failures:
        raise running.failures[0]
    return running.results


@dataclass(slots=True)
class _Running(Generic[_Result]):
    inputs: Mapping[int, Sequence[int]]
    work: Callable[[int, Sequence[_Result]], _Result]
    cancelled: Event
    most: int
    results: dict[int, _Result] = field(default_factory=dict)
    failures: list[BaseException] = field(default_factory=list)  # in order of time
    _missing: dict[int, int] = field(default_factory=dict)  # inputs without a result, by position
    _dependents: dict[int, list[int]] = field(default_factory=dict)
    _ready: list[int] = field(default_factory=list)  # a heap
    _threads: int = 0
    _lock: Condition = field(default_factory=Condition)  # notified when the last thread has ended

    def begin(self) -> None:
        for position, inputs in self.inputs.items():
            awaited = set(inputs)
            self._missing[position] = len(awaited)
            for each in awaited:
                self._dependents.setdefault(each, []).append(position)
        with self._lock:
            self._ready = sorted(at for at, count in self._missing.items() if not count)
            self._start(self._take_ready(self.most))

    def wait(self) -> None:
        with self._lock:
            # The main thread handles signals, and one that another thread receives, such as a
            # thread of Dask, does not end a wait without a limit (Python's signal, "threads").
            while not self._lock.wait_for(lambda: self._threads <= 0, _PAUSE_S):
                pass

    def _start(self, positions: Sequence[int]) -> None:
        for position in positions:
            Thread(target=self._work_from, args=[position], name="solve").start()
            self._threads += 1

    def _work_from(self, position: int | None) -> None:
        """Do the work, and then the first one that becomes ready; start threads for others.

        Waking a thread for each vertex would take longer than solving cached ones.
        """
        try:
            with cancelled_by(self.cancelled):
                while position is not None:
                    inputs = [self.results[i] for i in self.inputs[position]]
                    position = self._after(position, self.work(position, inputs))
        except BaseException as error:
            self.failures.append(error)
            self.cancelled.set()
        with self._lock:
            self._threads -= 1
            if not self._threads:
                self._lock.notify_all()

    def _after(self, position: int, result: _Result) -> int | None:
        with self._lock:
            self.results[position] = result
            for each in self._dependents.get(position, ()):
                self._missing[each] -= 1
                if not self._missing[each]:
                    heappush(self._ready, each)
            if self.cancelled.is_set():
                return None
            ready = self._take_ready(self.most - self._threads + 1)
            self._start(ready[1:])
            return ready[0] if ready else None

    def _take_ready(self, most: int) -> Sequence[int]:
        return [heappop(self._ready) for _ in range(min(most, len(self._ready)))]
