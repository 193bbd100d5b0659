"""Tasks that this process and forked ones do."""

import errno
import os
from collections.abc import Callable

import pytest

from img.adapters.build_context import shared_work


@pytest.fixture
def processors(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def set_number(number: int) -> None:
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: {*range(number)})

    return set_number


def reply(number: int) -> bytes:
    return b"%d" % number * 1000


def no_fork() -> int:
    raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def children() -> set[int]:
    with open("/proc/thread-self/children") as file:
        return {*map(int, file.read().split())}


@pytest.mark.parametrize("number", [1, 2, 4])
def test_each_task_is_done_once(processors: Callable[[int], None], number: int) -> None:
    processors(number)
    here: list[int] = []

    there = shared_work.do(shared_work.MOST_TASKS, here.append, reply)

    assert sorted([*here, *there]) == [*range(shared_work.MOST_TASKS)]
    assert {each: reply(each) for each in there} == there
    assert bool(there) <= (number > 1)


def test_another_process_does_some(processors: Callable[[int], None]) -> None:
    processors(2)
    turns = os.pipe()
    here: list[int] = []

    def wait(number: int) -> None:
        os.read(turns[0], 1)  # until the other process has done one
        here.append(number)

    def tell(number: int) -> bytes:
        os.write(turns[1], b".")
        return reply(number)

    there = shared_work.do(2, wait, tell)

    assert (len(here), len(there)) in {(1, 1), (0, 2)}


def test_one_processor_forks_nothing(
    processors: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    processors(1)
    monkeypatch.setattr(os, "fork", no_fork)
    here: list[int] = []

    assert shared_work.do(3, here.append, reply) == {}
    assert here == [0, 1, 2]


def test_a_fork_that_is_refused_changes_nothing(
    processors: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    processors(4)
    monkeypatch.setattr(os, "fork", no_fork)
    here: list[int] = []

    assert shared_work.do(3, here.append, reply) == {}
    assert here == [0, 1, 2]


def test_nothing_of_a_process_that_fails_is_used(processors: Callable[[int], None]) -> None:
    processors(2)
    turns = os.pipe()
    here: list[int] = []
    done: list[int] = []

    def wait(number: int) -> None:
        if not here:
            os.read(turns[0], 1)
        here.append(number)

    def fail(number: int) -> bytes:
        if done:  # not at the first task
            os.write(turns[1], b".")
            raise ValueError(number)
        done.append(number)
        return reply(number)

    before = children()

    assert shared_work.do(5, wait, fail) == {}
    assert sorted(here) == [*range(5)]
    assert children() == before


def test_an_error_ends_the_other_processes(processors: Callable[[int], None]) -> None:
    processors(3)
    before = children()

    def fail(number: int) -> None:
        raise ValueError(number)

    def hang(_number: int) -> bytes:
        while True:
            os.sched_yield()

    with pytest.raises(ValueError, match=r"\d"):
        shared_work.do(5, fail, hang)

    assert children() == before
