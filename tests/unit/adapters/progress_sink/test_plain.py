"""Progress in lines."""

import io
import threading

import pytest

from img.adapters.progress_sink.plain import PlainProgress
from img.domain.progress import (
    VertexCached,
    VertexCanceled,
    VertexDone,
    VertexFailed,
    VertexOutput,
    VertexStarted,
    VertexStatus,
    VertexWarning,
)


class Show:
    """A sink, its text, and the time, which passes when told to."""

    def __init__(self) -> None:
        self.out = io.StringIO()
        self.time = 100.0
        self.sink = PlainProgress(self.out, now=lambda: self.time)

    def started(self, vertex: str, name: str) -> None:
        self.sink.emit(VertexStarted(vertex=vertex, name=name))

    def output(self, vertex: str, data: bytes, stream: int = 1) -> None:
        self.sink.emit(VertexOutput(vertex=vertex, stream=stream, data=data))

    def done(self, vertex: str) -> None:
        self.sink.emit(VertexDone(vertex=vertex))

    @property
    def lines(self) -> list[str]:
        return self.out.getvalue().splitlines()


@pytest.fixture
def show() -> Show:
    return Show()


def test_a_step_has_a_number_a_name_its_output_and_an_end(show: Show) -> None:
    show.started("x", "[build 2/5] RUN make")
    show.time += 0.1234
    show.output("x", b"cc a.c\ncc b.c\n")
    show.time += 1.1
    show.done("x")
    assert show.lines == [
        "#1 [build 2/5] RUN make",
        "#1 0.123 cc a.c",
        "#1 0.123 cc b.c",
        "#1 DONE 1.2s",
    ]


def test_steps_are_parted_by_an_empty_line(show: Show) -> None:
    show.sink.emit(VertexCached(vertex="a", name="[1/2] FROM x"))
    show.sink.emit(VertexCached(vertex="b", name="[2/2] RUN y"))
    assert show.lines == ["#1 [1/2] FROM x", "#1 CACHED", "", "#2 [2/2] RUN y", "#2 CACHED"]


def test_steps_that_take_turns_say_who_is_speaking(show: Show) -> None:
    show.started("a", "A")
    show.started("b", "B")
    show.output("a", b"one\n")
    show.done("a")
    show.done("b")
    assert show.lines == [
        "#1 A",
        "#1 ...",
        "",
        "#2 B",
        "#2 ...",
        "",
        "#1 A",
        "#1 0.000 one",
        "#1 DONE 0.0s",
        "",
        "#2 B",
        "#2 DONE 0.0s",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(9.5, "9.500"), (10.0, "10.00"), (99.5, "99.50"), (100.0, "100.0")]
)
def test_the_longer_it_takes_the_fewer_decimals(show: Show, seconds: float, text: str) -> None:
    show.started("a", "A")
    show.time += seconds
    show.output("a", b"x\n")
    assert show.lines[-1] == f"#1 {text} x"


def test_lines_cut_in_pieces_are_put_together_by_stream(show: Show) -> None:
    show.started("a", "A")
    show.output("a", "gr\u00fc".encode()[:3])
    show.output("a", b"error\r\n", stream=2)
    show.output("a", "\u00fc".encode()[1:] + b"n\nno end")
    show.done("a")
    assert show.lines[1:-1] == ["#1 0.000 error", "#1 0.000 gr\u00fcn", "#1 0.000 no end"]


class Seen(io.StringIO):
    """Text that tells when a part of it has come."""

    def __init__(self) -> None:
        super().__init__()
        self.awaited = ""
        self.there = threading.Event()

    def flush(self) -> None:
        if self.awaited and self.awaited in self.getvalue():
            self.there.set()

    def wait_for(self, text: str) -> None:
        """Wait until ``text`` was written and flushed."""
        self.there.clear()
        self.awaited = text
        self.flush()
        assert self.there.wait(10), self.getvalue()


@pytest.mark.parametrize("end", [b"\r", b""])
def test_a_line_without_an_end_is_shown_all_the_same(end: bytes) -> None:
    out = Seen()
    sink = PlainProgress(out, now=lambda: 0.0, delay_s=0.01)
    sink.emit(VertexStarted(vertex="a", name="A"))
    sink.emit(VertexOutput(vertex="a", stream=1, data=b"10%" + end))
    out.wait_for("#1 0.000 10%\n")
    sink.emit(VertexOutput(vertex="a", stream=1, data=b"\r20%" + end))
    out.wait_for("#1 0.000 20%\n")
    sink.emit(VertexOutput(vertex="a", stream=1, data=b"\nnext\n"))
    sink.emit(VertexFailed(vertex="a", message="no"))
    sink.close()
    assert out.getvalue().splitlines() == [
        "#1 A",
        "#1 0.000 10%",
        "#1 0.000 20%",
        "#1 0.000 next",
        "#1 ERROR: no",
        "------",
        " > A:",
        "0.000 20%",
        "0.000 next",
        "------",
    ]


def test_progress_that_is_quick_is_shown_when_it_has_an_end(show: Show) -> None:
    show.started("a", "A")
    for percent in range(100):
        show.output("a", b"%d%%\r" % percent)
    show.output("a", b"\n")
    show.output("a", b"100%\r")
    show.done("a")
    assert show.lines == ["#1 A", "#1 0.000 99%", "#1 0.000 100%", "#1 DONE 0.0s"]


def test_an_error_is_told_and_its_log_again_at_the_end(show: Show) -> None:
    show.started("a", "[2/3] RUN x")
    show.output("a", b"oops\n")
    show.sink.emit(VertexFailed(vertex="a", message="exit code: 1"))
    show.sink.emit(VertexCanceled(vertex="b"))
    show.sink.close()
    assert show.lines == [
        "#1 [2/3] RUN x",
        "#1 0.000 oops",
        "#1 ERROR: exit code: 1",
        "",
        "#2 b",
        "#2 CANCELED",
        "------",
        " > [2/3] RUN x:",
        "0.000 oops",
        "------",
    ]


def test_a_warning_is_told(show: Show) -> None:
    show.started("a", "A")
    show.sink.emit(VertexWarning(vertex="a", message="old syntax"))
    assert show.lines[-1] == "#1 WARN: old syntax"


def status(current: int, *, done: bool = False) -> VertexStatus:
    return VertexStatus(vertex="a", item="sha256:1", current=current, total=3_000_000, done=done)


def test_of_a_transfer_the_end_is_told_and_now_and_then_how_far_it_is(show: Show) -> None:
    show.started("a", "A")
    for second in range(7):
        show.sink.emit(status(second * 400_000))
        show.time += 1
    show.sink.emit(status(3_000_000, done=True))
    assert show.lines[1:] == [
        "#1 sha256:1 2MB / 3MB 5.0s",
        "#1 sha256:1 3MB / 3MB 7.0s done",
    ]


def test_names_of_several_lines_become_one(show: Show) -> None:
    show.started("a", "RUN a \\\n  b")
    assert show.lines == ["#1 RUN a \\ b"]


def test_a_step_on_a_worker_names_it() -> None:
    text = io.StringIO()
    sink = PlainProgress(text)

    sink.emit(VertexStarted(vertex="a", name="[1/2] RUN make", worker="node7"))
    sink.close()

    assert "#1 [1/2] RUN make (on node7)\n" in text.getvalue()
