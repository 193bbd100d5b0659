"""The limits of the history."""

from collections.abc import Sequence

from img.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepRecords:
    """The limits of the history: the number of records, their age in seconds, their bytes."""

    count: int = 100
    seconds: float = 30 * 24 * 3600.0
    size: int = 1 << 30

    def superfluous(self, records: Sequence[tuple[str, float, int]], now: float) -> Sequence[str]:
        """Return the IDs to delete; ``records`` are IDs, times and sizes, the latest first."""
        found, size = [], 0
        for place, (record, started, bytes_) in enumerate(records):
            size += bytes_
            if place >= self.count or now - started > self.seconds or (place and size > self.size):
                found.append(record)
        return found
