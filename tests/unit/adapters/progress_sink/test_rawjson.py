"""Progress for programs."""

import base64
import io
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from img.adapters.progress_sink.rawjson import RawJsonProgress
from img.application.solver.target_progress import TargetProgress
from img.domain.digest import Digest
from img.domain.progress import (
    Event,
    SourceLines,
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
from img.testing.progress_sink import EVENTS

# What buildx reads: the fields of Go's types and their JSON types (BuildKit, client/graph.go, and
# solver/pb/ops.proto for the parts of warnings). "!" marks a field that is always there.
SHAPES: dict[str, dict[str, str]] = {
    "status": {
        "vertexes": "[vertex", "statuses": "[progress", "logs": "[log", "warnings": "[warning"
    },
    "vertex": {
        "digest": "digest", "inputs": "[digest", "name": "str", "started": "time",
        "completed": "time", "cached": "bool", "error": "str", "progressGroup": "group",
    },
    "progress": {
        "id!": "str", "vertex": "digest", "name": "str", "total": "int", "current!": "int",
        "timestamp!": "time", "started": "time", "completed": "time",
    },
    "log": {"vertex": "digest", "stream": "int", "data!": "bytes", "timestamp!": "time"},
    "warning": {
        "vertex": "digest", "level": "int", "short": "bytes", "detail": "[bytes", "url": "str",
        "sourceInfo": "source", "range": "[range",
    },
    "group": {"id": "str", "name": "str", "weak": "bool"},
    "source": {"filename": "str", "data": "bytes", "definition": "any", "language": "str"},
    "range": {"start": "position", "end": "position"},
    "position": {"line": "int", "character": "int"},
}  # fmt: skip
SCALARS: dict[str, Callable[[Any], bool]] = {
    "str": lambda value: type(value) is str,
    "int": lambda value: type(value) is int,
    "bool": lambda value: type(value) is bool,
    "any": lambda _: True,
    "digest": lambda value: bool(re.fullmatch("sha256:[0-9a-f]{64}", value)),
    "bytes": lambda value: base64.b64decode(value, validate=True) is not None,
    "time": lambda value: bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", value)),
}


def check(shape: str, value: Any) -> None:
    """Fail if ``value`` is not what buildx would read without loss."""
    if shape.startswith("["):
        assert type(value) is list
        for each in value:
            check(shape[1:], each)
    elif shape in SCALARS:
        assert SCALARS[shape](value), (shape, value)
    else:
        fields = {name.rstrip("!"): kind for name, kind in SHAPES[shape].items()}
        assert fields.keys() >= value.keys(), value
        assert {name[:-1] for name in SHAPES[shape] if name[-1] == "!"} <= value.keys()
        for name, each in value.items():
            check(fields[name], each)


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


def test_buildx_can_read_every_line() -> None:
    source = SourceLines(file="Dockerfile", path="/x/Dockerfile", text=b"FROM a as b", lines=(1, 2))
    out = io.StringIO()
    whole = RawJsonProgress(out)
    for sink in (whole, TargetProgress(whole, "app")):
        for event in (
            *EVENTS,
            VertexStarted(vertex="5", name="[2/2] COPY . .", inputs=("1", "3")),
            VertexWarning(vertex="5", message="m", detail="d", url="https://x/", source=source),
        ):
            sink.emit(event)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]

    for line in lines:
        check("status", line)
        assert len(line) == 1

    targets = [vertex for line in lines for vertex in line.get("vertexes", ())]
    assert targets[-1]["progressGroup"] == {"id": str(Digest.of(b"app")), "name": "app"}
    assert targets[-1]["inputs"] == [str(Digest.of(b"app 1")), str(Digest.of(b"app 3"))]
    warning = lines[-1]["warnings"][0]
    assert warning["detail"] == ["ZA=="]
    assert warning["sourceInfo"] == {
        "filename": "Dockerfile",
        "data": base64.b64encode(b"FROM a as b").decode(),
        "language": "Dockerfile",
    }
    assert warning["range"] == [{"start": {"line": 1}, "end": {"line": 2}}]
