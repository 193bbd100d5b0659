"""Waits of steps, and the critical path."""

from img.domain.report.timing import TimedStep, critical_path, time_in_queue, waited_for

# The definition, two stages side by side, the step that needs both, and the export.
STEPS = [
    TimedStep(0.0, 0.5),
    TimedStep(0.5, 2.0),
    TimedStep(0.5, 5.0),
    TimedStep(5.25, 6.0, (1, 2)),
    TimedStep(6.0, 6.5),
]


def test_the_critical_path_follows_the_input_that_ended_last() -> None:
    assert critical_path(STEPS) == [0, 2, 3, 4]


def test_a_step_without_inputs_waited_for_the_one_that_ended_last_before_it() -> None:
    assert waited_for(STEPS, 4) == 3
    assert waited_for(STEPS, 1) == 0
    assert waited_for(STEPS, 0) is None


def test_the_time_in_the_queue_begins_with_the_end_of_the_last_input() -> None:
    assert [time_in_queue(STEPS, place) for place in range(5)] == [0, 0, 0, 0.25, 0]


def test_steps_of_no_length_and_cycles_end_the_path() -> None:
    cached = [TimedStep(1.0, 1.0), TimedStep(1.0, 1.0), TimedStep(1.0, 1.0, (0,))]

    assert critical_path(cached) == [0, 2]
    assert critical_path([TimedStep(0, 1, (1,)), TimedStep(0, 1, (0,))]) == [0, 1]
    assert critical_path([]) == ()
