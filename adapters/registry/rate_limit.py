"""Pull limits of a registry (Docker Hub's ratelimit headers, also of other registries)."""

import re
from collections.abc import Mapping

from img.domain.dataclass import dataclass

# Such as 100;w=21600, a window in seconds.
_VALUE = re.compile(r"([0-9]{1,18})(?![0-9])(?:;w=([0-9]{1,18})(?![0-9]))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """The state of a limit: total, remainder, window and account."""

    limit: int
    remaining: int | None
    window_s: int  # 0: unknown
    source: str  # an address, or an account

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> "RateLimit | None":
        """Return the limit in the headers of a response, None if there is none."""
        limit = _VALUE.match(headers.get("ratelimit-limit", "").strip())
        if limit is None:
            return None
        remaining = _VALUE.match(headers.get("ratelimit-remaining", "").strip())
        return cls(
            limit=int(limit[1]),
            remaining=int(remaining[1]) if remaining else None,
            window_s=int(limit[2] or 0),
            source=headers.get("docker-ratelimit-source", ""),
        )

    def __str__(self) -> str:
        window = f" in {_duration(self.window_s)}" if self.window_s else ""
        source = f" for {self.source}" if self.source else ""
        return f"{self.limit}{window}{source}"


def _duration(seconds: int) -> str:
    for unit, length in (("hours", 3600), ("minutes", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds // length} {unit}"
    return f"{seconds} seconds"
