"""The last line of a build, and its metadata."""

from img.adapters.progress_sink.build_facts import BuildFacts
from img.adapters.progress_sink.several import SeveralSinks
from img.domain.progress import (
    SourceLines,
    VertexCached,
    VertexDone,
    VertexFailed,
    VertexStarted,
    VertexWarning,
)


def test_steps_are_counted_and_nothing_else() -> None:
    facts = BuildFacts()
    sink = SeveralSinks([facts])
    for vertex, name in enumerate(("[1/3] FROM x", "[build linux/arm64 2/3] RUN a", "exporting")):
        sink.emit(VertexStarted(vertex=str(vertex), name=name))
        sink.emit(VertexDone(vertex=str(vertex)))
    sink.emit(VertexDone(vertex="1"))
    sink.emit(VertexCached(vertex="3", name="[3/3] COPY a [1/2] b"))
    sink.emit(VertexCached(vertex="4", name="[internal] load metadata"))
    sink.emit(VertexStarted(vertex="5", name="[a 1/1] RUN false"))
    sink.emit(VertexFailed(vertex="5", message="exit code: 1"))
    sink.close()

    assert (facts.cached, facts.run) == (1, 2)


def test_warnings_of_several_platforms_are_kept_once_in_order() -> None:
    facts = BuildFacts()
    lines = SourceLines(file="Dockerfile", path="", text=b"", lines=(1, 1))
    for vertex in ("linux/amd64 d", "linux/arm64 d"):
        for message in ("b", "a"):
            facts.emit(VertexWarning(vertex=vertex, message=message, source=lines))
    facts.emit(VertexWarning(vertex="c", message="not of a check"))

    assert [each["short"] for each in facts.warnings()] == ["Yg==", "YQ=="]
    assert len({each["vertex"] for each in facts.warnings()}) == 1
