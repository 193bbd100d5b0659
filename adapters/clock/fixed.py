"""A clock for tests that only changes on request."""

from datetime import UTC, datetime, timedelta

from img.application.ports.clock import Clock


class FixedClock(Clock):
    """The time ``moment``, until it is advanced."""

    def __init__(self, moment: datetime = datetime(2024, 1, 1, tzinfo=UTC)) -> None:
        self._moment = moment.astimezone(UTC)

    def now(self) -> datetime:
        return self._moment

    def advance(self, by: timedelta) -> None:
        """Add ``by`` to the time."""
        self._moment += by
