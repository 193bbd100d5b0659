"""Contract tests of clocks."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from img.adapters.clock.fixed import FixedClock
from img.adapters.clock.system import SystemClock
from img.application.ports.clock import Clock
from img.testing.clock import ClockContract


@pytest.fixture(params=[SystemClock, FixedClock])
def clock(request: pytest.FixtureRequest) -> Clock:
    made: Clock = request.param()
    return made


class TestClock(ClockContract):
    pass


def test_the_systems_clock_is_about_right() -> None:
    assert abs(SystemClock().now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_a_fixed_clock_moves_only_when_told() -> None:
    noon = datetime(2024, 5, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    clock = FixedClock(noon)
    assert clock.now() == datetime(2024, 5, 1, 12, tzinfo=UTC)
    clock.advance(timedelta(minutes=1))
    assert clock.now().minute == 1
