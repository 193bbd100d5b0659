"""Text of steps and servers cannot forge a line of a log, nor control a terminal."""

import io
import re
from collections.abc import Callable
from typing import Any

import pyte
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from img.adapters.progress_sink.frame import Frame
from img.adapters.progress_sink.labels import LineSplitter
from img.adapters.progress_sink.plain import PlainProgress
from img.adapters.progress_sink.terminal import TerminalProgress, _fitted
from img.application.ports.progress_sink import ProgressSink
from img.domain.progress import (
    Event,
    VertexCached,
    VertexFailed,
    VertexOutput,
    VertexStarted,
    VertexStatus,
    VertexWarning,
)

_OURS = re.compile(r"#[0-9]+ |[0-9.]+ |------$| > |$")
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_PIECES = st.sampled_from(
    [
        "::error::a",
        "##[error]",
        "##vso[a]",
        "\x1b[31m",
        "\x1b[2J",
        "\x1b]0;title\x07",
        "\x1b]8;;http://x\x1b\\",
        "\x1b[?1049h",
        "\x1b[6n",
        "\x1bc",
        "\x1b(0",
        "\x9b1A",
        "\x07\x08\x0b\x0e",
        "\r",
        "\n",
        "\u2028",
        "\x85",
        "a",
    ]
)
_TEXT = st.lists(_PIECES | st.text(max_size=5)).map("".join)
_OUTPUT = _TEXT.map(lambda text: text.encode("utf-8", "replace"))


def _events(name: str, item: str, message: str, output: bytes) -> list[Event]:
    return [
        VertexStarted(vertex="v", name=name),
        VertexStatus(vertex="v", item=item, current=1, total=2, done=True),
        VertexWarning(vertex="v", message=message),
        VertexOutput(vertex="v", stream=1, data=output),
        VertexFailed(vertex="v", message=message),
        VertexCached(vertex="w", name=name),
    ]


def _emitted(make: Callable[[io.StringIO], ProgressSink], events: list[Event]) -> str:
    out = io.StringIO(newline="")
    sink = make(out)
    for event in events:
        sink.emit(event)
    sink.close()
    return out.getvalue()


@given(name=_TEXT, item=_TEXT, message=_TEXT, output=_OUTPUT)
def test_each_line_of_plain_progress_begins_as_we_begin_lines(
    name: str, item: str, message: str, output: bytes
) -> None:
    text = _emitted(PlainProgress, _events(name, item, message, output))

    for line in text.split("\n"):
        assert _OURS.match(line), line
        assert not re.search(r"##(vso|teamcity)?\[", line)
        controls = re.findall("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202e]", _COLOUR.sub("", line))
        assert not controls


@given(name=_TEXT, item=_TEXT, message=_TEXT, output=_OUTPUT)
def test_a_terminal_gets_no_control_characters(
    name: str, item: str, message: str, output: bytes
) -> None:
    frame = Frame(0.0)
    for event in _events(name, item, message, output):
        frame.add(event, 1.0)

    for line in (*frame.lines(2.0), *frame.lines(2.0, final=True), *frame.final_lines()):
        assert not re.search("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u202e]", line.text)


def test_an_address_with_a_password_is_not_shown() -> None:
    url = "https://ada:lovelace@host/x"

    text = _emitted(PlainProgress, _events(f"ADD {url} /", url, f"{url}: not found", b""))

    assert "lovelace" not in text
    assert "#1 ADD https://xxxxx:xxxxx@host/x /" in text


@pytest.mark.parametrize("pieces", [[b"a" * 1000] * 300, [b"12%\r"] * 100_000])
def test_a_line_without_end_takes_no_memory_without_end(pieces: list[bytes]) -> None:
    splitter = LineSplitter()
    lines = [line for piece in pieces for line in splitter.lines(piece)]

    assert len(splitter.rest()) < 70_000
    assert all(len(line) < 70_000 for line in lines)
    assert sum(map(len, lines)) <= sum(map(len, pieces))


def test_a_line_end_of_two_characters_may_come_in_pieces() -> None:
    splitter = LineSplitter()

    assert splitter.lines(b"one\r") == []
    assert splitter.lines(b"\ntwo\r\n") == ["one", "two"]


class Watcher:
    """A record of what a terminal would do: pyte calls its methods."""

    def __init__(self) -> None:
        self.told: set[str] = set()

    def __getattr__(self, name: str) -> Callable[..., None]:
        def note(*_: object, **__: object) -> None:
            self.told.add(name)

        return note


@given(name=_TEXT, item=_TEXT, message=_TEXT, output=_OUTPUT, error=_OUTPUT)
@pytest.mark.parametrize("make", [PlainProgress, TerminalProgress])
def test_no_sequence_of_a_build_acts_on_the_terminal(
    make: Callable[[io.StringIO], ProgressSink],
    name: str,
    item: str,
    message: str,
    output: bytes,
    error: bytes,
) -> None:
    events = _events(name, item, message, output)
    text = _emitted(make, [*events, VertexOutput(vertex="v", stream=2, data=error)])
    watcher: Any = Watcher()

    pyte.Stream(watcher, strict=False).feed(text.replace("\n", "\r\n"))

    assert watcher.told <= {
        "draw",
        "linefeed",
        "carriage_return",
        "tab",
        "select_graphic_rendition",
    }


@given(
    output=_OUTPUT,
    name=_TEXT | st.text("\u6f22\u5b57e\u0301", max_size=99),
    width=st.integers(20, 120),
)
@example(output=b"", name="0\t", width=24)
def test_each_line_of_the_display_fits_the_terminal(output: bytes, name: str, width: int) -> None:
    frame = Frame(0.0, usual=lambda _: 40.0)
    events = _events(name, name, name, output)
    for event in (*events[:2], VertexStarted(vertex="w", name=name)):
        frame.add(event, 1.0)
    screen = pyte.Screen(width, 50)

    lines = frame.lines(9.0, height=49)
    pyte.Stream(screen).feed("".join(f"{_fitted(line, width)}\r\n" for line in lines))

    assert screen.cursor.y == len(lines)  # no line has wrapped
    assert screen.display[0].startswith("[+] Building 9.0s")
