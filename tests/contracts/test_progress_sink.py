"""What every progress sink promises."""

import io
import threading
from collections.abc import Callable
from typing import NoReturn

import pytest

from img.adapters.progress_sink.plain import PlainProgress
from img.adapters.progress_sink.rawjson import RawJsonProgress
from img.adapters.progress_sink.recorded import RecordedProgress
from img.adapters.progress_sink.silent import SilentProgress
from img.adapters.progress_sink.terminal import TerminalProgress
from img.application.ports.progress_sink import ProgressSink
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

EVENTS: list[Event] = [
    StepsPlanned(plan="", vertices=frozenset({"1", "2"})),
    VertexStarted(vertex="1", name="[1/2] FROM busybox"),
    VertexStatus(vertex="1", item="sha256:1", current=1, total=0),
    VertexStatus(vertex="1", item="sha256:1", current=5, total=5, done=True),
    VertexDone(vertex="1"),
    VertexCached(vertex="2", name="[2/2] RUN make"),
    VertexOutput(vertex="never begun", stream=1, data=b"\xff\x1b[31mred\r\n\x00half"),
    VertexWarning(vertex="3", message="careful \u20ac"),
    VertexCanceled(vertex="4"),
    VertexFailed(vertex="3", message="exit code: 1"),
]


class Gone(io.StringIO):
    """A stream whose reader has gone away."""

    def write(self, text: str) -> NoReturn:
        raise BrokenPipeError

    def flush(self) -> NoReturn:
        raise BrokenPipeError


MAKERS: list[Callable[[], ProgressSink]] = [
    lambda: PlainProgress(io.StringIO()),
    lambda: PlainProgress(Gone()),
    lambda: PlainProgress(io.TextIOWrapper(io.BytesIO(), encoding="ascii")),
    lambda: TerminalProgress(io.StringIO()),
    lambda: TerminalProgress(io.StringIO(), delay_s=0),
    lambda: TerminalProgress(Gone(), delay_s=0),
    lambda: TerminalProgress(io.TextIOWrapper(io.BytesIO(), encoding="ascii"), delay_s=0),
    lambda: RawJsonProgress(io.StringIO()),
    lambda: RawJsonProgress(Gone()),
    lambda: RawJsonProgress(io.TextIOWrapper(io.BytesIO(), encoding="ascii")),
    SilentProgress,
    RecordedProgress,
]


@pytest.fixture(params=MAKERS)
def sink(request: pytest.FixtureRequest) -> ProgressSink:
    made: ProgressSink = request.param()
    return made


def test_all_events_are_taken(sink: ProgressSink) -> None:
    for event in EVENTS:
        sink.emit(event)
    sink.close()


def test_closing_twice_is_closing_once(sink: ProgressSink) -> None:
    sink.emit(EVENTS[1])
    sink.close()
    sink.close()


def test_closing_what_showed_nothing_is_fine(sink: ProgressSink) -> None:
    sink.close()


def test_events_after_the_end_do_no_harm(sink: ProgressSink) -> None:
    sink.emit(EVENTS[1])
    sink.close()
    sink.emit(EVENTS[4])


def test_several_threads_may_tell_at_once(sink: ProgressSink) -> None:
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


def test_what_was_recorded_can_be_looked_at() -> None:
    sink = RecordedProgress()
    for event in EVENTS:
        sink.emit(event)
    sink.close()
    assert sink.events == EVENTS
    assert sink.closed
