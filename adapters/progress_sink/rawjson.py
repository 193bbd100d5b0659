"""Progress for programs: one JSON object per line, as ``docker build --progress rawjson``."""

import base64
import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import field
from datetime import UTC, datetime
from typing import Any, TextIO, assert_never

from img.application.ports.progress_sink import ProgressSink
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
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


@dataclass(slots=True)
class _Vertex:
    """A vertex in the output, which is written completely on every change."""

    digest: str
    name: str
    started: str
    ended: dict[str, Any] = field(default_factory=dict)
    items: dict[str, str] = field(default_factory=dict)  # start times of the items

    def document(self) -> dict[str, Any]:
        named = {"digest": self.digest, "name": self.name}
        return {**named, "started": self.started, **self.ended}


class RawJsonProgress(ProgressSink):
    """Progress as BuildKit's SolveStatus in ``out`` (BuildKit, client/graph.go).

    The digest of a vertex is the digest of its name in img's events.
    """

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

    def _said(self, event: VertexEvent, now: str) -> dict[str, Any]:
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
                data = base64.b64encode(event.data).decode()
                log = {"vertex": vertex.digest, "stream": event.stream, "data": data}
                return {"logs": [{**log, "timestamp": now}]}
            case VertexStatus():
                return {"statuses": [_status(vertex, event, now)]}
            case VertexWarning():
                short = base64.b64encode(shown_in_line(event.message).encode()).decode()
                return {"warnings": [{"vertex": vertex.digest, "level": 1, "short": short}]}
            case _:
                assert_never(event)
        return {"vertexes": [vertex.document()]}

    def _vertex(self, event: VertexEvent, now: str) -> _Vertex:
        vertex = self._vertices.get(event.vertex)
        if vertex is None:
            name = event.name if isinstance(event, VertexStarted | VertexCached) else event.vertex
            digest = str(Digest.of(event.vertex.encode("utf-8", "surrogateescape")))
            vertex = _Vertex(digest, shown_in_line(" ".join(name.split())), now)
            self._vertices[event.vertex] = vertex
        return vertex

    def _write(self, document: dict[str, Any]) -> None:
        # If the reader is gone, or the disk is full, the work continues without output.
        with suppress(OSError, ValueError):
            self._out.write(shown_json(json.dumps(document)) + "\n")
            self._out.flush()


def _status(vertex: _Vertex, event: VertexStatus, now: str) -> dict[str, Any]:
    item = shown_in_line(event.item)
    status = {
        "id": item,
        "vertex": vertex.digest,
        "name": item,
        "total": event.total,
        "current": event.current,
        "timestamp": now,
        "started": vertex.items.setdefault(item, now),
    }
    return {**status, "completed": now} if event.done else status
