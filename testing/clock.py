"""Contract suite of clocks."""

from datetime import UTC

from img.application.ports.clock import Clock


class ClockContract:
    """Promises of every Clock.

    Fixtures: ``clock``.
    """

    def test_the_time_is_in_utc(self, clock: Clock) -> None:
        assert clock.now().tzinfo is UTC

    def test_time_does_not_run_backwards(self, clock: Clock) -> None:
        assert clock.now() <= clock.now()
