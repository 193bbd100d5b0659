"""Progress as spans of OpenTelemetry.

The events are kept as values. What sends them is imported in a thread while the first step runs,
and spans are made and sent when the command ends: until then a build pays for a few dictionaries
(ADR 59).
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import field

from img.application.log import logger
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
from img.domain.shown_text import shown_in_line
from img.domain.solve_status import vertex_digest

log = logger("traces")

Value = str | int | bool


@dataclass(slots=True)
class Span:
    """A span before OpenTelemetry has it; times are nanoseconds since 1970."""

    name: str
    begun: int
    ended: int | None = None
    last: int | None = None  # the end of the last step in it, for a target
    parent: "Span | None" = None
    error: str | None = None
    attributes: dict[str, Value] = field(default_factory=dict)
    events: list[tuple[int, str]] = field(default_factory=list)  # warnings
    inputs: list["Span"] = field(default_factory=list)

    def end(self, now: int, error: str | None = None) -> None:
        """End the span, if it has not ended."""
        if self.ended is None:
            self.ended = now
            self.error = error


Export = Callable[[list[Span], Mapping[str, str]], None]
"""Sends spans, each after its parent and inputs. Raises ImportError, ValueError, OSError."""


class SpanProgress(ProgressSink):
    """A tree of spans: the command, the targets of a bake, steps, and their transfers."""

    def __init__(
        self,
        command: str,
        attributes: Mapping[str, Value],
        environment: Mapping[str, str],
        *,
        export: Export,
        prepare: Callable[[Mapping[str, str]], None] = lambda _: None,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self._environment = environment
        self._export = export
        self._prepare = prepare
        self._now = now
        self._lock = threading.Lock()
        self._root = Span(command, now(), attributes={**attributes})
        self._spans = [self._root]  # in order of their starts
        self._vertices: dict[str, Span] = {}
        self._groups: dict[str, Span] = {}
        self._items: dict[tuple[str, str], Span] = {}
        self._preparation: threading.Thread | None = None
        self._closed = False

    def emit(self, event: Event) -> None:
        if isinstance(event, StepsPlanned | VertexOutput):
            return
        with self._lock:
            if not self._closed:
                self._add(event, self._now())

    def fail(self, message: str) -> None:
        """Mark the command as failed."""
        with self._lock:
            self._root.error = self._root.error or shown_in_line(message)

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            error = self._root.error or next((s.error for s in self._spans if s.error), None)
            now = self._now()
            for span in self._spans:
                span.end(span.last or now, span.error)
            self._root.error = error
        if self._preparation is not None:
            self._preparation.join()
        try:
            self._export(self._spans, self._environment)
        except (ImportError, ValueError, OSError) as problem:
            # A build does not fail because no collector listens.
            log.warning("no traces were sent", reason=str(problem))

    def _add(self, event: VertexEvent, now: int) -> None:
        step = self._step(event, now)
        match event:
            case VertexStarted():
                step.begun = now
                self._prepare_once()
            case VertexCached():
                step.attributes["img.cached"] = True
                step.end(now)
            case VertexStatus():
                self._transfer(event, step, now)
            case VertexWarning():
                step.events.append((now, shown_in_line(event.message)))
            case VertexDone():
                self._end(event.vertex, step, now)
            case VertexFailed():
                self._end(event.vertex, step, now, shown_in_line(event.message))
            case VertexCanceled():
                self._end(event.vertex, step, now, "canceled")
            case VertexOutput():
                pass

    def _step(self, event: VertexEvent, now: int) -> Span:
        if event.vertex not in self._vertices:
            name, parent, inputs = event.vertex, self._root, list[Span]()
            if isinstance(event, VertexStarted | VertexCached):
                name, parent = event.name, self._group(event.group, now)
                inputs = [self._vertices[i] for i in event.inputs if i in self._vertices]
            attributes: dict[str, Value] = {"vertex": vertex_digest(event.vertex)}
            span = self._new(" ".join(name.split()), now, parent, attributes)
            span.inputs = inputs
            self._vertices[event.vertex] = span
        return self._vertices[event.vertex]

    def _group(self, name: str, now: int) -> Span:
        if not name:
            return self._root
        if name not in self._groups:
            self._groups[name] = self._new(f"build {name}", now, self._root, {"img.target": name})
        return self._groups[name]

    def _transfer(self, event: VertexStatus, step: Span, now: int) -> None:
        key = (event.vertex, event.item)
        if key not in self._items:
            self._items[key] = self._new(event.item, now, step, {})
        span = self._items[key]
        span.attributes["img.bytes"] = event.current
        if event.total:
            span.attributes["img.bytes.total"] = event.total
        if event.done:
            span.end(now)

    def _new(self, name: str, now: int, parent: Span, attributes: dict[str, Value]) -> Span:
        span = Span(shown_in_line(name), now, parent=parent, attributes=attributes)
        self._spans.append(span)
        return span

    def _end(self, vertex: str, step: Span, now: int, error: str | None = None) -> None:
        for (owner, _), span in self._items.items():
            if owner == vertex:
                span.end(now)
        step.end(now, error)
        if (group := step.parent) is not None and group is not self._root:
            group.last = now
            group.error = group.error or error

    def _prepare_once(self) -> None:
        if self._preparation is None:
            self._preparation = threading.Thread(
                target=self._prepare, args=[self._environment], name="traces", daemon=True
            )
            self._preparation.start()
