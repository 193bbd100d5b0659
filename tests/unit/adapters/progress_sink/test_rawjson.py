"""Progress for programs."""

import base64
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from img.adapters.progress_sink.rawjson import RawJsonProgress
from img.domain.digest import Digest
from img.domain.progress import (
    Event,
    StepsPlanned,
    VertexCached,
    VertexCanceled,
    VertexDone,
    VertexFailed,
    VertexOutput,
    VertexStarted,
    VertexStatus,
    VertexWarning,
)

BEGUN = datetime(2026, 11, 30, 12, tzinfo=UTC)
X = str(Digest.of(b"x"))


def written(*events: Event) -> list[dict[str, Any]]:
    """Return the lines for ``events``, a second after one another."""
    out = io.StringIO()
    times = iter(BEGUN + timedelta(seconds=second) for second in range(100))
    sink = RawJsonProgress(out, now=lambda: next(times))
    for event in events:
        sink.emit(event)
    sink.close()
    return [json.loads(line) for line in out.getvalue().splitlines()]


def at(second: int) -> str:
    return f"2026-11-30T12:00:{second:02}Z"


def test_a_vertex_is_written_whole_whenever_it_changes() -> None:
    begun = VertexStarted(vertex="x", name="[1/2] RUN  make")
    named = {"digest": X, "name": "[1/2] RUN make", "started": at(0)}

    assert written(begun, VertexDone(vertex="x")) == [
        {"vertexes": [named]},
        {"vertexes": [{**named, "completed": at(1)}]},
    ]
    assert written(begun, VertexFailed(vertex="x", message="exit code: 1"))[1] == {
        "vertexes": [{**named, "completed": at(1), "error": "exit code: 1"}]
    }
    assert written(begun, VertexCanceled(vertex="x"))[1]["vertexes"][0]["error"]
    assert written(VertexCached(vertex="x", name="[1/2] RUN make")) == [
        {"vertexes": [{**named, "completed": at(0), "cached": True}]}
    ]


def test_output_is_written_as_it_is() -> None:
    _, line = written(
        VertexStarted(vertex="x", name="x"), VertexOutput(vertex="x", stream=2, data=b"\xff10%\r")
    )

    log = line["logs"][0]
    assert base64.b64decode(log.pop("data")) == b"\xff10%\r"
    assert log == {"vertex": X, "stream": 2, "timestamp": at(1)}


def test_what_moves_says_when_it_began() -> None:
    _, first, last = written(
        VertexStarted(vertex="x", name="x"),
        VertexStatus(vertex="x", item="sha256:1", current=1, total=5),
        VertexStatus(vertex="x", item="sha256:1", current=5, total=5, done=True),
    )

    same = {"id": "sha256:1", "vertex": X, "name": "sha256:1", "total": 5, "started": at(1)}
    assert first == {"statuses": [{**same, "current": 1, "timestamp": at(1)}]}
    assert last == {"statuses": [{**same, "current": 5, "timestamp": at(2), "completed": at(2)}]}


def test_warnings_are_written_and_plans_are_not() -> None:
    (line,) = written(
        StepsPlanned(plan="", vertices=frozenset({"x"})), VertexWarning(vertex="x", message="oh")
    )

    assert line == {"warnings": [{"vertex": X, "level": 1, "short": "b2g="}]}
