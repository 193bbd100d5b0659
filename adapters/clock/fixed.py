"""A clock that stands still."""

from datetime import UTC, datetime, timedelta

from img.application.ports.clock import Clock


class FixedClock(Clock):
    """Always ``moment``, until it is set forward."""

    def __init__(self, moment: datetime = datetime(2024, 1, 1, tzinfo=UTC)) -> None:
        self._moment = moment.astimezone(UTC)

    def now(self) -> datetime:
        return self._moment

    def advance(self, by: timedelta) -> None:
        """Let ``by`` pass."""
        self._moment += by
