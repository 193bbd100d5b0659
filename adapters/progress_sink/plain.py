"""Progress as lines of text, for logs (BuildKit's --progress=plain)."""

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import field
from typing import TYPE_CHECKING, TextIO, assert_never

from img.adapters.progress_sink.labels import LineSplitter, amount_text, log_time
from img.application.ports.progress_sink import ProgressSink
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
from img.domain.shown_text import shown_in_line, shown_output

if TYPE_CHECKING:  # few logs have sections
    from img.adapters.progress_sink.ci_sections import CiSections

_KEPT = 20  # lines of a step, shown again when it fails
_STATUS_EVERY_S = 5.0
_DELAY_S = 1.0  # seconds before an unfinished line is shown


@dataclass(slots=True)
class _Stream:
    splitter: LineSplitter = field(default_factory=LineSplitter)
    early: str = ""  # the part of its unfinished last line that was shown


@dataclass(slots=True)
class _Vertex:
    number: int
    name: str
    started: float
    streams: dict[int, _Stream] = field(default_factory=dict)
    last: deque[str] = field(default_factory=lambda: deque(maxlen=_KEPT))
    shown: dict[str, float] = field(default_factory=dict)  # item of a status -> time
    begun: dict[str, float] = field(default_factory=dict)
    ended: bool = False


class PlainProgress(ProgressSink):
    """Progress as ``#N …`` lines in ``out``, with the name when the output of vertices alternates.

    Each line starts with the number of its vertex, also each line of a step's output, so that no
    step can forge one. Colours of steps are kept; other escape sequences are shown as text. An
    unfinished line (progress with carriage returns, a prompt) is shown after ``delay_s`` seconds,
    and again when it has changed since.

    With ``sections`` the output of a running vertex is a section, up to that of another vertex or
    its end.
    """

    def __init__(
        self,
        out: TextIO,
        *,
        now: Callable[[], float] = time.monotonic,
        delay_s: float = _DELAY_S,
        sections: "CiSections | None" = None,
    ) -> None:
        self._out = out
        self._sections = sections
        self._now = now
        self._delay_s = delay_s
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()
        self._vertices: dict[str, _Vertex] = {}
        self._current: _Vertex | None = None
        self._failed: list[_Vertex] = []
        self._closed = False

    def emit(self, event: Event) -> None:
        if isinstance(event, StepsPlanned):
            return  # the plain format has no totals
        with self._lock:
            self._show(event)
            # If the reader is gone, or the disk is full, the work continues without output.
            with suppress(OSError, ValueError):
                self._out.flush()

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()
            for vertex in self._vertices.values():
                self._finish_lines(vertex)
            self._write(*self._section_ended())
            for vertex in self._failed:
                self._write("------", f" > {vertex.name}:", *vertex.last, "------")
            with suppress(OSError, ValueError):
                self._out.flush()

    def _show(self, event: VertexEvent) -> None:
        vertex = self._vertex(event)
        match event:
            case VertexStarted():
                self._say(vertex)
            case VertexCached():
                self._end(vertex, "CACHED")
            case VertexOutput():
                stream = vertex.streams.setdefault(event.stream, _Stream())
                self._log(vertex, stream.splitter.lines(event.data), stream)
                self._wait_for_its_end(stream)
            case VertexStatus():
                self._status(vertex, event)
            case VertexWarning():
                self._say(vertex, f"WARN: {shown_in_line(event.message)}")
                if self._sections:
                    self._write(*self._sections.marks(event))
            case VertexDone():
                self._finish_lines(vertex)
                self._end(vertex, f"DONE {self._now() - vertex.started:.1f}s")
            case VertexFailed():
                self._finish_lines(vertex)
                self._end(vertex, f"ERROR: {shown_in_line(event.message)}")
                self._failed.append(vertex)
            case VertexCanceled():
                self._finish_lines(vertex)
                self._end(vertex, "CANCELED")
            case _:
                assert_never(event)

    def _vertex(self, event: VertexEvent) -> _Vertex:
        vertex = self._vertices.get(event.vertex)
        if vertex is None:
            name = event.name if isinstance(event, VertexCached) else event.vertex
            name = event.title if isinstance(event, VertexStarted) else name
            shown = shown_in_line(" ".join(name.split()))
            vertex = _Vertex(len(self._vertices) + 1, shown, self._now())
            self._vertices[event.vertex] = vertex
        elif isinstance(event, VertexStarted):
            vertex.started = self._now()
        return vertex

    def _status(self, vertex: _Vertex, event: VertexStatus) -> None:
        now = self._now()
        begun = vertex.begun.setdefault(event.item, now)
        if not event.done and now - vertex.shown.get(event.item, begun) < _STATUS_EVERY_S:
            return
        vertex.shown[event.item] = now
        amount = amount_text(event.current, event.total)
        text = f"{shown_in_line(event.item)} {amount} {now - begun:.1f}s"
        self._say(vertex, f"{text} done" if event.done else text)

    def _log(self, vertex: _Vertex, lines: list[str], stream: _Stream) -> None:
        timed = [self._timed(vertex, line) for line in lines]
        vertex.last += timed
        if lines and stream.early:
            if lines[0].rpartition("\r")[2] == stream.early:
                del timed[0]
            stream.early = ""
        if timed:
            self._say(vertex, *timed)

    def _finish_lines(self, vertex: _Vertex) -> None:
        for stream in vertex.streams.values():
            if rest := stream.splitter.rest():
                self._log(vertex, [rest], stream)

    def _wait_for_its_end(self, stream: _Stream) -> None:
        if self._timer is None and _is_news(stream):
            self._timer = threading.Timer(self._delay_s, self._show_unfinished)
            self._timer.daemon = True
            self._timer.start()

    def _show_unfinished(self) -> None:
        with self._lock:
            self._timer = None
            if self._closed:
                return
            for vertex in self._vertices.values():
                for stream in vertex.streams.values():
                    if _is_news(stream):
                        stream.early = stream.splitter.unfinished()
                        self._say(vertex, self._timed(vertex, stream.early))
            with suppress(OSError, ValueError):
                self._out.flush()

    def _timed(self, vertex: _Vertex, line: str) -> str:
        return f"{log_time(self._now() - vertex.started)} {shown_output(line)}"

    def _end(self, vertex: _Vertex, text: str) -> None:
        if self._current is vertex:
            self._write(*self._section_ended())
        vertex.ended = True
        self._say(vertex, text)

    def _say(self, vertex: _Vertex, *texts: str) -> None:
        """Write ``texts`` with the number of ``vertex``, after its name if necessary."""
        before = self._current
        head: list[str] = []
        if before is not vertex:
            if before is not None:
                head = [*([] if before.ended else [f"#{before.number} ..."])]
                head += [*self._section_ended(), ""]
            head.append(f"#{vertex.number} {vertex.name}")
            self._current = vertex
        if texts and not vertex.ended and self._sections:
            head += self._sections.begin(f"#{vertex.number} output")
        self._write(*head, *(f"#{vertex.number} {text}" for text in texts))

    def _section_ended(self) -> list[str]:
        return self._sections.end() if self._sections else []

    def _write(self, *lines: str) -> None:
        text = "".join(f"{line}\n" for line in lines)
        with suppress(OSError, ValueError):
            try:
                self._out.write(text)
            except UnicodeEncodeError:
                encoding = self._out.encoding or "ascii"
                self._out.write(text.encode(encoding, "backslashreplace").decode(encoding))


def _is_news(stream: _Stream) -> bool:
    return stream.splitter.unfinished() not in ("", stream.early)
