"""Contract suite of progress displays."""

import threading

from img.application.ports.progress_sink import ProgressSink
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

EVENTS: list[Event] = [
    StepsPlanned(plan="", vertices=frozenset({"1", "2"})),
    VertexStarted(vertex="1", name="[1/2] FROM busybox"),
    VertexStatus(vertex="1", item="sha256:1", current=1, total=0),
    VertexStatus(vertex="1", item="sha256:1", current=5, total=5, done=True),
    VertexDone(vertex="1"),
    VertexCached(vertex="2", name="[2/2] RUN make", inputs=("1",), group="app"),
    VertexOutput(vertex="never begun", stream=1, data=b"\xff\x1b[31mred\r\n\x00half"),
    VertexWarning(
        vertex="3",
        message="careful \u20ac",
        detail="why",
        url="https://example.com/",
        source=SourceLines(file="Dockerfile", path="/x/Dockerfile", text=b"\xff", lines=(1, 1)),
    ),
    VertexCanceled(vertex="4"),
    VertexFailed(vertex="3", message="exit code: 1"),
]


class ProgressSinkContract:
    """Promises of every ProgressSink.

    Fixtures: ``sink``, which has received no event.
    """

    def test_all_events_are_taken(self, sink: ProgressSink) -> None:
        for event in EVENTS:
            sink.emit(event)
        sink.close()

    def test_closing_twice_is_closing_once(self, sink: ProgressSink) -> None:
        sink.emit(EVENTS[1])
        sink.close()
        sink.close()

    def test_closing_what_showed_nothing_is_fine(self, sink: ProgressSink) -> None:
        sink.close()

    def test_events_after_the_end_do_no_harm(self, sink: ProgressSink) -> None:
        sink.emit(EVENTS[1])
        sink.close()
        sink.emit(EVENTS[4])

    def test_several_threads_may_tell_at_once(self, sink: ProgressSink) -> None:
        def work(vertex: str) -> None:
            sink.emit(VertexStarted(vertex=vertex, name=vertex))
            for number in range(100):
                sink.emit(VertexOutput(vertex=vertex, stream=1, data=b"line %d\n" % number))
            sink.emit(VertexDone(vertex=vertex))

        threads = [threading.Thread(target=work, args=(f"{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sink.close()
