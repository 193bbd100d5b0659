"""Usual durations of steps."""

from img.adapters.build_history.memory import MemoryBuildHistory
from img.application.usecases.usual_times import UsualTimes


def built(history: MemoryBuildHistory, seconds: float, end: str = "done") -> None:
    """Add a record of a build in which a step took so long."""
    record = history.begin(100.0)
    record.note({"e": "started", "t": 100.0, "v": "1", "name": "[1/1] RUN make"})
    record.note({"e": end, "t": 100.0 + seconds, "v": "1"})
    record.close()


def test_it_is_the_median_of_builds_that_ran_the_step() -> None:
    history = MemoryBuildHistory()
    for seconds in (40.0, 90.0, 41.0):
        built(history, seconds)
    built(history, 1.0, "failed")
    built(history, 2.0, "canceled")
    history.begin(100.0).note({"e": "started", "t": 100.0, "v": "1", "name": "[1/1] RUN make"})
    usual = UsualTimes(history)

    assert usual("[1/1] RUN make") == 41.0
    assert usual("[1/1] RUN other") is None
    built(history, 500.0)
    assert usual("[1/1] RUN make") == 41.0  # read once


def test_short_steps_and_old_builds_say_nothing() -> None:
    history = MemoryBuildHistory()
    built(history, 100.0)
    for _ in range(10):
        built(history, 1.5)

    assert UsualTimes(history)("[1/1] RUN make") is None
