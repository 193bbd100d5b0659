"""Order, parallelism and cancellation."""

from collections.abc import Sequence
from threading import Barrier, Condition, Event, get_ident

import pytest

from img.application.solver.results import Result, Stack
from img.application.solver.schedule import solve_all
from img.domain.digest import Digest
from img.domain.errors import BuildError
from img.domain.graph.operations import Scratch
from img.domain.graph.vertex import Graph, Vertex

WAIT_S = 10  # longer than any of these waits takes, if all is well


def graph(*inputs: tuple[int, ...]) -> Graph:
    return Graph(tuple(Vertex(operation=Scratch(), inputs=each) for each in inputs))


def a_result(position: int) -> Stack:
    return Stack(key=Digest.of(b"%d" % position))


def test_inputs_are_there_in_their_order_before_what_uses_them() -> None:
    given: dict[int, list[Digest]] = {}

    def solve(position: int, inputs: Sequence[Result]) -> Result:
        given[position] = [each.key for each in inputs if isinstance(each, Stack)]
        return a_result(position)

    results = solve_all(graph((), (), (1, 0), (2,)), 3, solve, Event())

    assert given[2] == [a_result(1).key, a_result(0).key]
    assert given[3] == [a_result(2).key]
    assert set(results) == {0, 1, 2, 3}


def test_what_the_target_does_not_need_is_not_done() -> None:
    done: list[int] = []

    def solve(position: int, inputs: Sequence[Result]) -> Result:
        done.append(position)
        return a_result(position)

    solve_all(graph((), (), (0,)), 2, solve, Event())

    assert done == [0, 2]


def test_independent_vertices_are_done_at_the_same_time() -> None:
    both = Barrier(2, timeout=WAIT_S)

    def solve(position: int, inputs: Sequence[Result]) -> Result:
        if position < 2:
            both.wait()
        return a_result(position)

    solve_all(graph((), (), (0, 1)), 2, solve, Event())


def test_what_becomes_ready_at_once_is_done_at_the_same_time() -> None:
    all_three = Barrier(3, timeout=WAIT_S)

    def solve(position: int, inputs: Sequence[Result]) -> Result:
        if position in (1, 2, 3):
            all_three.wait()
        return a_result(position)

    results = solve_all(graph((), (0,), (0,), (0,), (1, 2, 3)), 4, solve, Event())

    assert set(results) == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("after", [(), (0,)])
def test_at_most_eight_vertices_are_done_at_the_same_time(after: tuple[int, ...]) -> None:
    running: list[int] = []
    most = 0
    changed = Condition()

    def solve(position: int, inputs: Sequence[Result]) -> Result:
        nonlocal most
        if 0 < position < 51:
            with changed:
                running.append(position)
                most = max(most, len(running))
                changed.notify_all()
                # The first wait for a ninth, which must not come, as long as it could take.
                changed.wait_for(lambda: most > 8, timeout=0.01)
                running.remove(position)
        return a_result(position)

    many = graph((), *[after] * 50, tuple(range(51)))
    results = solve_all(many, 51, solve, Event())

    assert len(results) == 52
    assert most == 8


def test_a_chain_is_done_by_one_thread() -> None:
    threads: list[int] = []

    def solve(position: int, inputs: Sequence[Result]) -> Result:
        threads.append(get_ident())
        return a_result(position)

    solve_all(graph((), (0,), (1,), (2,)), 3, solve, Event())

    assert len(set(threads)) == 1
    assert threads[0] != get_ident()  # which an interrupt would stop in the middle


def test_a_failure_stops_what_runs_and_begins_nothing_new() -> None:
    cancelled, began = Event(), Event()
    stopped: list[int] = []

    def solve(position: int, inputs: Sequence[Result]) -> Result:
        if position == 0:
            began.wait(WAIT_S)
            raise BuildError("no")
        if position == 1:
            began.set()
            assert cancelled.wait(WAIT_S)
        stopped.append(position)
        return a_result(position)

    with pytest.raises(BuildError, match="no"):
        solve_all(graph((), (), (1,), (0, 2)), 3, solve, cancelled)

    assert stopped == [1]


def test_the_first_failure_is_the_one_that_is_told() -> None:
    cancelled = Event()

    def solve(position: int, inputs: Sequence[Result]) -> Result:
        if position == 0:
            raise BuildError("the cause")
        cancelled.wait(WAIT_S)
        raise BuildError("canceled")

    with pytest.raises(BuildError, match="the cause"):
        solve_all(graph((), (), (0, 1)), 2, solve, cancelled)


def test_an_interrupt_stops_the_build() -> None:
    cancelled = Event()

    def solve(position: int, inputs: Sequence[Result]) -> Result:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        solve_all(graph(()), 0, solve, cancelled)

    assert cancelled.is_set()
