"""All vertices of a graph: in order, in parallel, until one fails."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import field
from threading import Event, Lock

from img.application.solver.results import Result
from img.domain.dataclass import dataclass
from img.domain.graph.vertex import Graph

_WORKERS = 8  # independent vertices at once; most of them wait for processes or the network

Solve = Callable[[int, Sequence[Result]], Result]
"""Solves the vertex at a position, given the results of its inputs."""


def solve_all(graph: Graph, target: int, solve: Solve, cancelled: Event) -> Mapping[int, Result]:
    """Return the results of ``target`` and of all it depends on, by position.

    When one vertex fails, or the caller is interrupted, ``cancelled`` is set, what runs is
    awaited, and the first failure is raised; nothing new is begun.
    """
    with ThreadPoolExecutor(_WORKERS, "solve") as pool:
        solving = _Solving(graph, solve, cancelled, pool, set(graph.needed_for(target)))
        try:
            return solving.results_of_all()
        except BaseException:
            cancelled.set()
            raise


@dataclass(slots=True)
class _Solving:
    graph: Graph
    solve: Solve
    cancelled: Event
    pool: ThreadPoolExecutor
    waiting: set[int]
    results: dict[int, Result] = field(default_factory=dict)
    failures: list[BaseException] = field(default_factory=list)  # in order of time
    _threads: list[Future[None]] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def results_of_all(self) -> Mapping[int, Result]:
        with self._lock:
            self._start(self._take_ready())
        for thread in self._threads:  # more of them join meanwhile
            wait([thread])
        if self.failures:
            raise self.failures[0]
        return self.results

    def _start(self, positions: Sequence[int]) -> None:
        self._threads += [self.pool.submit(self._solve_from, position) for position in positions]

    def _solve_from(self, position: int | None) -> None:
        """Solve the vertex, and then what that makes ready: other threads take all but the first.

        To wake a thread for each of many vertices that are found at once takes as long as these.
        """
        try:
            while position is not None:
                inputs = [self.results[i] for i in self.graph.vertices[position].inputs]
                position = self._after(position, self.solve(position, inputs))
        except BaseException as error:
            self.failures.append(error)
            self.cancelled.set()

    def _after(self, position: int, result: Result) -> int | None:
        with self._lock:
            self.results[position] = result
            if self.cancelled.is_set():
                return None
            ready = self._take_ready()
            self._start(ready[1:])
            return ready[0] if ready else None

    def _take_ready(self) -> Sequence[int]:
        ready = [
            position
            for position in sorted(self.waiting)
            if all(i in self.results for i in self.graph.vertices[position].inputs)
        ]
        self.waiting -= {*ready}
        return ready
