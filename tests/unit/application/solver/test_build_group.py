"""Builds that share steps."""

from threading import Event, Thread

import pytest

from img.application.cancellation import StepCanceled
from img.application.solver.build_group import BuildGroup
from img.domain.digest import Digest
from img.domain.errors import BuildError, ContextError

KEY = Digest.of(b"step")
WAIT_S = 60  # until a test that hangs fails


def fail(group: BuildGroup, error: Exception) -> None:
    with pytest.raises(type(error)), group.step(KEY, Event()):
        raise error


def test_a_step_fails_in_all_builds_with_the_same_message() -> None:
    group = BuildGroup()
    fail(group, BuildError("exit code: 1", lines=(3, 3), hint="mend it"))

    with pytest.raises(BuildError) as failed, group.step(KEY, Event()):
        pass

    assert (failed.value.message, failed.value.hint) == ("exit code: 1", "mend it")
    assert failed.value.lines is None  # those of the other build


@pytest.mark.parametrize("error", [StepCanceled(), ContextError("lost")])
def test_a_step_that_was_given_up_or_could_be_tried_again_is_done_by_another_build(
    error: Exception,
) -> None:
    group = BuildGroup()
    fail(group, error)

    with group.step(KEY, Event()):
        done = True

    assert done


def test_a_build_waits_for_a_step_of_another_one() -> None:
    group = BuildGroup()
    order: list[str] = []
    held, asked = Event(), Event()

    def first() -> None:
        with group.step(KEY, Event()):
            held.set()
            assert asked.wait(WAIT_S)
            order.append("first")

    thread = Thread(target=first)
    thread.start()
    assert held.wait(WAIT_S)
    asked.set()
    with group.step(KEY, Event()):
        order.append("second")
    thread.join(WAIT_S)

    assert order == ["first", "second"]


@pytest.mark.parametrize("of_group", [True, False])
def test_a_build_that_waits_can_be_cancelled(of_group: bool) -> None:
    group = BuildGroup()
    cancelled = group.cancellation()
    (group.cancelled if of_group else cancelled).set()

    with group.step(KEY, Event()), pytest.raises(StepCanceled), group.step(KEY, cancelled):
        pass


def test_one_build_is_cancelled_alone() -> None:
    group = BuildGroup()
    one, other = group.cancellation(), group.cancellation()

    one.set()

    assert one.is_set()
    assert not other.is_set()
    assert not group.cancelled.is_set()


def test_a_failure_counts_for_builds_under_the_same_conditions_only() -> None:
    group = BuildGroup()
    fail(group.under("a"), BuildError("no secret"))

    with group.under("b").step(KEY, Event()):
        done = True

    assert done
    with pytest.raises(BuildError, match="no secret"), group.under("a").step(KEY, Event()):
        pass


def test_builds_under_other_conditions_wait_for_a_step_as_well() -> None:
    group = BuildGroup()
    cancelled = Event()
    cancelled.set()

    with (
        group.under("a").step(KEY, Event()),
        pytest.raises(StepCanceled),
        group.under("b").step(KEY, cancelled),
    ):
        pass


def test_results_are_those_under_the_same_conditions() -> None:
    group = BuildGroup()

    assert group.under("a").results is group.under("a").results
    assert group.under("a").results is not group.under("b").results
