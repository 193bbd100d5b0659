"""All vertices of a graph: in order, in parallel, until one fails."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from threading import Event

from img.application.solver.results import Result
from img.domain.graph.vertex import Graph

_WORKERS = 8  # independent vertices at once; most of them wait for processes or the network

Solve = Callable[[int, Sequence[Result]], Result]
"""Solves the vertex at a position, given the results of its inputs."""


def solve_all(graph: Graph, target: int, solve: Solve, cancelled: Event) -> Mapping[int, Result]:
    """Return the results of ``target`` and of all it depends on, by position.

    When one vertex fails, or the caller is interrupted, ``cancelled`` is set, what runs is
    awaited, and the first failure is raised; nothing new is begun.
    """
    needed = graph.needed_for(target)
    results: dict[int, Result] = {}
    waiting = set(needed)
    running: dict[Future[Result], int] = {}
    with ThreadPoolExecutor(_WORKERS, "solve") as pool:
        try:
            while waiting or running:
                for position in _ready(graph, waiting, results):
                    waiting.discard(position)
                    inputs = [results[i] for i in graph.vertices[position].inputs]
                    running[pool.submit(solve, position, inputs)] = position
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    results[running.pop(future)] = future.result()
        except BaseException:
            cancelled.set()
            raise
    return results


def _ready(graph: Graph, waiting: set[int], results: Mapping[int, Result]) -> list[int]:
    return [
        position
        for position in sorted(waiting)
        if all(i in results for i in graph.vertices[position].inputs)
    ]
