"""Excerpts of the output of steps, which together have a bounded size."""

from collections.abc import Iterable, Mapping
from dataclasses import field

from img.domain.dataclass import dataclass
from img.domain.shown_text import plain_output


@dataclass(frozen=True, slots=True, kw_only=True)
class LogExcerpt:
    """The start and the end of a step's output; ``last`` is empty if ``first`` is all of it."""

    first: str
    last: str = ""
    left_out: int = 0  # bytes between them
    size: int = 0  # bytes of all of the output


def shares(sizes: Mapping[int, int], budget: int) -> dict[int, int]:
    """Return the bytes that each log may have, so that all together have no more than ``budget``.

    Short logs are complete, and long ones have equal shares.
    """
    found: dict[int, int] = {}
    left, logs = budget, len(sizes)
    for log, size in sorted(sizes.items(), key=lambda each: each[1]):
        found[log] = min(size, max(left // logs, 0))
        left -= found[log]
        logs -= 1
    return found


@dataclass(slots=True, kw_only=True)
class ExcerptOf:
    """The excerpt of one log; its pieces come one after the other."""

    limit: int  # bytes
    size: int  # bytes of all pieces
    _first: bytearray = field(default_factory=bytearray)
    _last: bytearray = field(default_factory=bytearray)
    _seen: int = 0

    def add(self, data: bytes) -> None:
        """Take the next piece."""
        start = self.limit if self.size <= self.limit else self.limit // 4
        space = max(start - self._seen, 0)
        self._first += data[:space]
        self._seen += len(data)
        end = self.limit - start
        if end and len(data) > space:
            self._last += data[space:]
            if len(self._last) > 2 * end:
                del self._last[:-end]

    def excerpt(self) -> LogExcerpt:
        """Return the excerpt. It is cut between lines where these are not too long."""
        if self.size <= self.limit:
            return LogExcerpt(first=_shown(self._first), size=self.size)
        end = self.limit - self.limit // 4
        last = bytes(self._last[-end:]) if end else b""
        line_end = last.find(b"\n") + 1
        last = last[line_end:] if line_end < len(last) else last
        first = bytes(self._first)
        first = first[: first.rfind(b"\n") + 1] or first
        return LogExcerpt(
            first=_shown(first),
            last=_shown(last),
            left_out=self.size - len(first) - len(last),
            size=self.size,
        )


def excerpts_of(
    sizes: Mapping[int, int], pieces: Iterable[tuple[int, bytes]], budget: int
) -> dict[int, LogExcerpt]:
    """Return the excerpts of logs by their numbers; ``pieces`` are numbers and bytes, in order."""
    limits = shares(sizes, budget)
    found = {log: ExcerptOf(limit=limits[log], size=size) for log, size in sizes.items()}
    for log, data in pieces:
        if log in found:  # a running build goes on writing
            found[log].add(data)
    return {log: each.excerpt() for log, each in found.items()}


def _shown(data: bytes | bytearray) -> str:
    text = data.decode("utf-8", "replace")
    return "\n".join(map(plain_output, text.split("\n")))
