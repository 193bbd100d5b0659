"""The state of a build at one moment, as lines (BuildKit's display on terminals)."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import field
from enum import Enum
from typing import NamedTuple, assert_never

from img.adapters.progress_sink.labels import LineSplitter, amount_text, log_time, size_text
from img.domain.dataclass import dataclass
from img.domain.progress import (
    Event,
    StepsPlanned,
    VertexCached,
    VertexCanceled,
    VertexDone,
    VertexEvent,
    VertexFailed,
    VertexOutput,
    VertexStarted,
    VertexStatus,
    VertexWarning,
)
from img.domain.shown_text import shown_in_line, without_commands

_LOG_LINES = 6  # of a running step
_KEPT = 50  # of a failed one
_RATE_AFTER_S = 1.0  # before that a rate says little


class Style(Enum):
    """The style of a line: what its colour is for (colours.USUAL)."""

    PLAIN = ""
    DONE = "run"
    FAILED = "error"
    CANCELED = "cancel"
    WARNING = "warning"
    FAINT = "faint"


class Line(NamedTuple):
    """A line of the display; ``right`` is aligned to the right edge."""

    text: str
    right: str = ""
    style: Style = Style.PLAIN


@dataclass(slots=True)
class _Step:
    name: str
    begun: float
    ended: float | None = None
    word: str = ""  # CACHED, ERROR, CANCELED
    style: Style = Style.PLAIN
    streams: dict[int, LineSplitter] = field(default_factory=dict)
    log: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=_KEPT))
    items: dict[str, VertexStatus] = field(default_factory=dict)
    item_begun: dict[str, float] = field(default_factory=dict)
    usual: float | None = None  # seconds that it took before
    warnings: list[str] = field(default_factory=list)

    def seconds(self, now: float) -> float:
        return (now if self.ended is None else self.ended) - self.begun

    def lines(self, now: float) -> Iterator[Line]:
        word = f"{self.word} " if self.word else ""
        yield Line(f" => {word}{self.name}", self._duration(now), self.style)
        if self.ended is None:
            for name, item in self.items.items():
                yield Line(f" => => {name}", self._amount(name, item, now))
            texts = [text for _, text in self.log]
            texts += filter(None, (_printable(each.unfinished()) for each in self.streams.values()))
            for text in texts[-_LOG_LINES:]:
                yield Line(f" => => # {text}", style=Style.FAINT)

    def _duration(self, now: float) -> str:
        text = f"{self.seconds(now):.1f}s"
        known = self.ended is None and self.usual is not None
        return f"{text} (usually {_rounded(self.usual)})" if known and self.usual else text

    def _amount(self, name: str, item: VertexStatus, now: float) -> str:
        amount = amount_text(item.current, item.total)
        if item.done:
            return f"{amount} done"
        seconds = now - self.item_begun[name]
        if seconds < _RATE_AFTER_S or not item.current:
            return amount
        return f"{amount} {size_text(int(item.current / seconds))}/s"


UsualSeconds = Callable[[str], float | None]
"""Returns how long a step of this name usually takes, None if that is unknown."""


class Frame:
    """The state of all vertices; not thread-safe."""

    def __init__(self, now: float, usual: UsualSeconds = lambda _: None) -> None:
        self._begun = now
        self._usual = usual
        self._steps: dict[str, _Step] = {}
        self._failed: list[_Step] = []
        self._planned: dict[str, frozenset[str]] = {}

    def add(self, event: Event, now: float) -> None:
        """Apply an event to the state."""
        if isinstance(event, StepsPlanned):
            self._planned[event.plan] = event.vertices
            return
        step = self._step(event, now)
        match event:
            case VertexStarted():
                step.begun = now
                step.usual = self._usual(event.name)
            case VertexCached():
                step.begun = now
                self._end(step, now, "CACHED", Style.DONE)
            case VertexOutput():
                lines = step.streams.setdefault(event.stream, LineSplitter()).lines(event.data)
                step.log += [(now - step.begun, _printable(line)) for line in lines]
            case VertexStatus():
                name = _in_line(event.item)
                step.item_begun.setdefault(name, now)
                step.items[name] = event
            case VertexWarning():
                step.warnings.append(shown_in_line(event.message))
            case VertexDone():
                self._end(step, now, "", Style.DONE)
            case VertexFailed():
                self._end(step, now, "ERROR", Style.FAILED)
                self._failed.append(step)
            case VertexCanceled():
                self._end(step, now, "CANCELED", Style.CANCELED)
            case _:
                assert_never(event)

    def lines(self, now: float, *, height: int | None = None, final: bool = False) -> list[Line]:
        """Return the whole display; with ``height`` running steps replace ended ones."""
        steps = list(self._steps.values())
        ended = sum(step.ended is not None for step in steps)
        state = "" if not final else " ERROR" if self._failed else " FINISHED"
        total = len(self._steps.keys() | frozenset().union(*self._planned.values()))
        head = Line(f"[+] Building {now - self._begun:.1f}s ({ended}/{total}){state}")
        blocks = [list(step.lines(now)) for step in steps]
        if height is not None:
            excess = sum(map(len, blocks)) + 1 - height
            blocks = _without_ended(blocks, steps, excess)
        return [head, *(line for block in blocks for line in block)][:height]

    def final_lines(self) -> list[Line]:
        """Return the lines after the end: warnings, and the logs of failed steps."""
        lines = [
            Line(f"WARNING: {message}", style=Style.WARNING)
            for step in self._steps.values()
            for message in step.warnings
        ]
        for step in self._failed:
            log = [Line(f"{log_time(at)} {text}") for at, text in step.log]
            lines += [Line("------"), Line(f" > {step.name}:"), *log, Line("------")]
        return lines

    def _step(self, event: VertexEvent, now: float) -> _Step:
        step = self._steps.get(event.vertex)
        if step is None:
            name = event.name if isinstance(event, VertexCached) else event.vertex
            name = event.title if isinstance(event, VertexStarted) else name
            step = self._steps[event.vertex] = _Step(_in_line(name), now)
        return step

    def _end(self, step: _Step, now: float, word: str, style: Style) -> None:
        for splitter in step.streams.values():
            if rest := splitter.rest():
                step.log.append((now - step.begun, _printable(rest)))
        step.ended, step.word, step.style = now, word, style


def _in_line(text: str) -> str:
    """Return a name of one line, without tabs, the width of which is the terminal's affair."""
    return shown_in_line(" ".join(text.split()))


def _rounded(seconds: float) -> str:
    """Return a duration without false precision: 40s, 2m10s."""
    whole = max(1, round(seconds))
    minutes, rest = divmod(whole, 60)
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"


def _without_ended(blocks: list[list[Line]], steps: list[_Step], excess: int) -> list[list[Line]]:
    kept = []
    for block, step in zip(blocks, steps, strict=True):
        if excess > 0 and step.ended is not None:
            excess -= len(block)
        else:
            kept.append(block)
    return kept


def _printable(text: str) -> str:
    """Return ``text`` as a terminal shows it: no control characters, overwrites applied."""
    text = without_commands(text.rpartition("\r")[2]).expandtabs(8)
    return "".join(char if char.isprintable() else "" for char in _without_escapes(text))


def _without_escapes(text: str) -> str:
    if "\x1b" not in text:
        return text
    import re

    return re.sub(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])", "", text)
