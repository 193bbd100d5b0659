"""Progress for programs: one JSON object per line, as ``docker build --progress rawjson``."""

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import field
from datetime import UTC, datetime
from typing import Any, TextIO, assert_never

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
from img.domain.shown_text import shown_in_line, shown_json
from img.domain.solve_status import Document, encoded, vertex_digest, warning_document


@dataclass(slots=True)
class _Vertex:
    """A vertex in the output, which is written completely on every change."""

    digest: str
    name: str
    started: str
    given: Document  # inputs and group
    ended: dict[str, Any] = field(default_factory=dict)
    items: dict[str, str] = field(default_factory=dict)  # start times of the items

    def document(self) -> Document:
        named = {"digest": self.digest, "name": self.name}
        return {**named, **self.given, "started": self.started, **self.ended}


class RawJsonProgress(ProgressSink):
    """Progress as BuildKit's SolveStatus in ``out``."""

    def __init__(
        self, out: TextIO, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._out = out
        self._now = now
        self._lock = threading.Lock()
        self._vertices: dict[str, _Vertex] = {}

    def emit(self, event: Event) -> None:
        if isinstance(event, StepsPlanned):
            return
        with self._lock:
            self._write(self._said(event, self._now().isoformat().replace("+00:00", "Z")))

    def close(self) -> None:
        """Do nothing: each event is written immediately."""

    def _said(self, event: VertexEvent, now: str) -> Document:
        vertex = self._vertex(event, now)
        match event:
            case VertexStarted():
                vertex.started = now
            case VertexCached():
                vertex.ended = {"completed": now, "cached": True}
            case VertexDone():
                vertex.ended = {"completed": now}
            case VertexFailed():
                vertex.ended = {"completed": now, "error": shown_in_line(event.message)}
            case VertexCanceled():
                vertex.ended = {"completed": now, "error": "context canceled"}  # BuildKit's text
            case VertexOutput():
                data = encoded(event.data)
                log = {"vertex": vertex.digest, "stream": event.stream, "data": data}
                return {"logs": [{**log, "timestamp": now}]}
            case VertexStatus():
                return {"statuses": [_status(vertex, event, now)]}
            case VertexWarning():
                return {"warnings": [warning_document(event)]}
            case _:
                assert_never(event)
        return {"vertexes": [vertex.document()]}

    def _vertex(self, event: VertexEvent, now: str) -> _Vertex:
        vertex = self._vertices.get(event.vertex)
        if vertex is None:
            name, given = event.vertex, Document()
            if isinstance(event, VertexStarted | VertexCached):
                name, given = event.name, _given(event)
            if isinstance(event, VertexStarted):
                name = event.title
            digest = vertex_digest(event.vertex)
            vertex = _Vertex(digest, shown_in_line(" ".join(name.split())), now, given)
            self._vertices[event.vertex] = vertex
        return vertex

    def _write(self, document: Document) -> None:
        # If the reader is gone, or the disk is full, the work continues without output.
        with suppress(OSError, ValueError):
            self._out.write(shown_json(json.dumps(document)) + "\n")
            self._out.flush()


def _given(event: VertexStarted | VertexCached) -> Document:
    given = Document()
    if event.inputs:
        given["inputs"] = [vertex_digest(each) for each in event.inputs]
    if event.group:
        name = shown_in_line(event.group)
        given["progressGroup"] = {"id": vertex_digest(event.group), "name": name}
    return given


def _status(vertex: _Vertex, event: VertexStatus, now: str) -> Document:
    item = shown_in_line(event.item)
    status = {
        "id": item,
        "vertex": vertex.digest,
        "name": item,
        **({"total": event.total} if event.total else {}),
        "current": event.current,
        "timestamp": now,
        "started": vertex.items.setdefault(item, now),
    }
    return {**status, "completed": now} if event.done else status
