"""Progress on a terminal: what it looks like, and what is left of it."""

import io
import os
import pty
import re
import subprocess
import sys

import pytest

from img.adapters.progress_sink.frame import Frame, Style
from img.adapters.progress_sink.terminal import TerminalProgress
from img.domain.progress import (
    StepsPlanned,
    VertexCached,
    VertexDone,
    VertexFailed,
    VertexOutput,
    VertexStarted,
    VertexStatus,
    VertexWarning,
)


def a_frame() -> Frame:
    frame = Frame(0.0)
    frame.add(VertexCached(vertex="1", name="[1/3] FROM busybox"), 0.5)
    frame.add(VertexStarted(vertex="2", name="[2/3] RUN make"), 1.0)
    return frame


def texts(frame: Frame, now: float, *, height: int | None = None) -> list[str]:
    return [line.text for line in frame.lines(now, height=height)]


def test_each_step_has_a_line_with_its_time() -> None:
    lines = a_frame().lines(2.25)
    assert [(line.text, line.right) for line in lines] == [
        ("[+] Building 2.2s (1/2)", ""),
        (" => CACHED [1/3] FROM busybox", "0.0s"),
        (" => [2/3] RUN make", "1.2s"),
    ]
    assert lines[1].style is Style.DONE


def test_the_last_lines_of_a_running_step_are_shown_until_it_ends() -> None:
    frame = a_frame()
    data = b"".join(b"line %d\n" % number for number in range(9))
    frame.add(VertexOutput(vertex="2", stream=1, data=data), 2.0)
    assert texts(frame, 2.0)[3:] == [f" => => # line {number}" for number in range(3, 9)]
    frame.add(VertexDone(vertex="2"), 3.0)
    assert len(texts(frame, 3.0)) == 3


def test_a_line_without_an_end_is_shown_as_far_as_it_is_known() -> None:
    frame = a_frame()
    frame.add(VertexOutput(vertex="2", stream=2, data=b"begun\n"), 1.5)
    for percent in (b"10%\r", b"20%\r", b"3"):
        frame.add(VertexOutput(vertex="2", stream=2, data=percent), 2.0)
    assert texts(frame, 2.0)[3:] == [" => => # begun", " => => # 3"]
    frame.add(VertexOutput(vertex="2", stream=2, data=b"0%\r"), 2.0)
    assert texts(frame, 2.0)[3:] == [" => => # begun", " => => # 30%"]
    frame.add(VertexOutput(vertex="2", stream=2, data=b"\n"), 2.0)
    assert texts(frame, 2.0)[3:] == [" => => # begun", " => => # 30%"]


def test_the_total_knows_the_steps_to_come() -> None:
    frame = a_frame()
    frame.add(StepsPlanned(plan="amd64 ", vertices=frozenset({"1", "2", "3", "4"})), 1.0)
    frame.add(StepsPlanned(plan="outputs", vertices=frozenset({"export 0"})), 1.0)
    assert texts(frame, 2.0)[0] == "[+] Building 2.0s (1/5)"
    frame.add(StepsPlanned(plan="amd64 ", vertices=frozenset({"2", "4"})), 1.0)
    frame.add(VertexStarted(vertex="not planned", name="x"), 1.0)
    assert texts(frame, 2.0)[0] == "[+] Building 2.0s (1/5)"


def test_transfers_have_lines_of_their_own() -> None:
    frame = a_frame()
    frame.add(VertexStatus(vertex="2", item="sha256:1", current=1_200_000, total=3_000_000), 1.5)
    line = frame.lines(2.0)[3]
    assert (line.text, line.right) == (" => => sha256:1", "1.2MB / 3MB")


def test_a_transfer_has_a_rate_while_it_runs() -> None:
    frame = a_frame()
    frame.add(VertexStatus(vertex="2", item="x", current=0, total=0), 1.5)
    frame.add(VertexStatus(vertex="2", item="x", current=3_000_000, total=0), 3.0)
    assert frame.lines(3.5)[3].right == "3MB 1.5MB/s"
    frame.add(VertexStatus(vertex="2", item="x", current=3_000_000, total=0, done=True), 4.0)
    assert frame.lines(5.0)[3].right == "3MB done"


def test_a_step_says_how_long_it_usually_takes_while_it_runs() -> None:
    usual = {"[1/2] RUN a": 39.6, "[2/2] RUN b": 130.0}
    frame = Frame(0.0, usual.get)
    for name in ("[1/2] RUN a", "[2/2] RUN b", "[1/1] RUN c"):
        frame.add(VertexStarted(vertex=name, name=name), 1.0)
    assert [line.right for line in frame.lines(2.0)[1:]] == [
        "1.0s (usually 40s)",
        "1.0s (usually 2m10s)",
        "1.0s",
    ]
    frame.add(VertexDone(vertex="[1/2] RUN a"), 3.0)
    assert frame.lines(4.0)[1].right == "2.0s"


@pytest.mark.parametrize(
    ("variable", "value", "code"),
    [("BUILDKIT_COLORS", "run=1,2,3", "38;2;1;2;3"), ("NO_COLOR", "1", ""), ("NO_COLOR", "", "34")],
)
def test_users_choose_colours(
    variable: str, value: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv(variable, value)
    out = io.StringIO()
    sink = TerminalProgress(out, now=lambda: 0.0)
    sink.emit(VertexCached(vertex="1", name="x"))
    drawn = sink._frame()
    sink.close()

    assert re.findall(r"\x1b\[([0-9;]+)m => CACHED", out.getvalue()) == ([code] if code else [])
    styles = {"38;2;1;2;3": "rgb(1,2,3)", "34": "color(4)", "": ""}
    assert str(drawn.spans[-1].style if drawn.spans else "") == styles[code]


def test_output_cannot_move_the_cursor() -> None:
    frame = a_frame()
    data = b"\x1b[2J\x1b[31mred\x1b[0m\x07\n10%\r99%\n"
    frame.add(VertexOutput(vertex="2", stream=1, data=data), 2.0)
    assert texts(frame, 2.0)[3:] == [" => => # red", " => => # 99%"]


def test_what_has_ended_gives_way_when_there_is_no_room() -> None:
    frame = a_frame()
    for number in range(20):
        frame.add(VertexCached(vertex=f"c{number}", name=f"c{number}"), 1.0)
    shown = texts(frame, 2.0, height=5)
    assert len(shown) == 5
    assert " => [2/3] RUN make" in shown
    assert " => CACHED c19" in shown


def test_a_failure_keeps_its_log() -> None:
    frame = a_frame()
    frame.add(VertexOutput(vertex="2", stream=2, data=b"oops"), 1.5)
    frame.add(VertexFailed(vertex="2", message="exit code: 1"), 2.0)
    assert frame.lines(2.0, final=True)[0].text == "[+] Building 2.0s (2/2) ERROR"
    assert [line.text for line in frame.final_lines()] == [
        "------",
        " > [2/3] RUN make:",
        "1.000 oops",
        "------",
    ]


def test_warnings_are_said_at_the_end() -> None:
    frame = a_frame()
    frame.add(VertexWarning(vertex="2", message="old syntax"), 1.5)
    assert [line.text for line in frame.final_lines()] == ["WARNING: old syntax"]


def test_what_is_over_soon_needs_no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    out = io.StringIO()
    sink = TerminalProgress(out, now=lambda: 0.0)
    sink.emit(VertexCached(vertex="1", name="[1/1] FROM x"))
    sink.close()
    head, step = out.getvalue().splitlines()
    assert head == "[+] Building 0.0s (1/1) FINISHED"
    assert step == " => CACHED [1/1] FROM x".ljust(75) + "0.0s"


PROGRAM = """
import sys, time
from img.adapters.progress_sink.terminal import TerminalProgress
from img.domain.progress import *
sink = TerminalProgress(sys.stderr, delay_s=0)
sink.emit(VertexStarted(vertex="1", name="[1/1] RUN make"))
sink.emit(VertexOutput(vertex="1", stream=1, data=b"compiling\\n"))
time.sleep(1)
print("said meanwhile", file=sys.stderr)
sink.emit(VertexDone(vertex="1"))
sink.close()
"""


def test_a_real_terminal_is_drawn_on_and_restored() -> None:
    ours, theirs = pty.openpty()
    ended = subprocess.Popen([sys.executable, "-c", PROGRAM], stderr=theirs, stdin=theirs)
    os.close(theirs)
    drawn = b""
    try:
        while piece := os.read(ours, 65536):
            drawn += piece
    except OSError:
        pass  # EIO: the other side is closed
    assert ended.wait(30) == 0
    os.close(ours)
    assert b" => => # compiling" in drawn
    assert b"said meanwhile" in drawn
    assert b"FINISHED" in drawn
    assert drawn.rfind(b"\x1b[?25h") > drawn.rfind(b"\x1b[?25l")  # the cursor is back
