"""The time of this machine."""

from datetime import UTC, datetime

from img.application.ports.clock import Clock


class SystemClock(Clock):
    """The operating system's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)
