"""Contract tests of progress displays."""

import io
from collections.abc import Callable
from typing import NoReturn

import pytest

from img.adapters.progress_sink.callback import CallbackProgress
from img.adapters.progress_sink.plain import PlainProgress
from img.adapters.progress_sink.rawjson import RawJsonProgress
from img.adapters.progress_sink.recorded import RecordedProgress
from img.adapters.progress_sink.silent import SilentProgress
from img.adapters.progress_sink.terminal import TerminalProgress
from img.application.ports.progress_sink import ProgressSink
from img.testing.progress_sink import EVENTS, ProgressSinkContract


class Gone(io.StringIO):
    """A stream that lost its reader."""

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
    lambda: CallbackProgress(lambda _: None),
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


class TestProgressSink(ProgressSinkContract):
    pass


def test_what_was_recorded_can_be_looked_at() -> None:
    sink = RecordedProgress()
    for event in EVENTS:
        sink.emit(event)
    sink.close()
    assert sink.events == EVENTS
    assert sink.closed
