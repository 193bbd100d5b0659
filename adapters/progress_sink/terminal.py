"""Progress as a display that is redrawn, for terminals."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO, cast

from img.adapters.progress_sink.frame import Frame, Line, Style, UsualSeconds
from img.application.ports.progress_sink import ProgressSink
from img.domain.cell_width import cell_width, cut, padded
from img.domain.colours import colours
from img.domain.progress import Event

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

_DELAY_S = 0.2  # shorter work needs no display, and rich takes 0.1 s to load
_FRAMES_PER_S = 8
_NARROWEST = 20


class TerminalProgress(ProgressSink):
    """Draws on ``out``, a terminal; the last state stays, and so do the logs of failed steps."""

    def __init__(
        self,
        out: TextIO,
        *,
        now: Callable[[], float] = time.monotonic,
        delay_s: float = _DELAY_S,
        usual: UsualSeconds = lambda _: None,
    ) -> None:
        self._out = cast(TextIO, _TolerantStream(out))
        self._now = now
        self._lock = threading.Lock()
        self._state = Frame(now(), usual)
        self._colours = colours(os.environ)
        self._delay_s = delay_s
        self._timer: threading.Timer | None = None
        self._live: Live | None = None
        self._closed = False

    def emit(self, event: Event) -> None:
        with self._lock:
            self._state.add(event, self._now())
            if self._timer is None and not self._closed:
                # By a timer, not at the next event: a long step may send no event.
                self._timer = threading.Timer(self._delay_s, self._begin)
                self._timer.daemon = True
                self._timer.start()

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
        if self._timer is None:
            return
        # Without the lock: the threads that are joined here need it.
        self._timer.cancel()
        self._timer.join()
        if self._live is not None:
            self._live.stop()
        self._print([*self._state.lines(self._now(), final=True), *self._state.final_lines()])

    def _begin(self) -> None:
        from rich.console import Console
        from rich.live import Live

        console = Console(file=self._out, force_terminal=True, highlight=False)
        with self._lock:
            if self._closed:
                return
        self._live = Live(
            get_renderable=self._frame,
            console=console,
            refresh_per_second=_FRAMES_PER_S,
            transient=True,  # the last state is printed by close(), in full
            redirect_stdout=False,  # results, perhaps an archive
        )
        self._live.start()

    def _frame(self) -> "Text":
        from rich.text import Text

        width, height = self._size()
        with self._lock:
            lines = self._state.lines(self._now(), height=max(2, height - 1))
        frame = Text(no_wrap=True, overflow="crop", end="")
        for at, line in enumerate(lines):
            frame.append("\n" if at else "")
            style = _rich_style(line.style, self._colours)
            frame.append(_fitted(line, width), style=style)
        return frame

    def _print(self, lines: list[Line]) -> None:
        width, _ = self._size()
        text = ""
        for line in lines:
            fitted = _fitted(line, width) if line.right else line.text
            code = self._colours.get(line.style.value)
            text += f"\x1b[{code}m{fitted}\x1b[0m\n" if code else f"{fitted}\n"
        self._out.write(text)
        self._out.flush()

    def _size(self) -> tuple[int, int]:
        try:
            size = os.get_terminal_size(self._out.fileno())
        except (OSError, ValueError):
            return 80, 24
        return max(_NARROWEST, size.columns or 80), size.lines or 24


class _TolerantStream:
    """A text stream that ignores a closed reader, and replaces letters outside of its encoding."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self.encoding = out.encoding or "utf-8"

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            self._out.write(text.encode(self.encoding, "backslashreplace").decode(self.encoding))
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._out.flush()

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._out.fileno()


def _fitted(line: Line, width: int) -> str:
    """Return the line cut or padded to just below ``width``: at the edge a terminal may wrap."""
    room = width - 1 - cell_width(line.right) - bool(line.right)
    if room < _NARROWEST // 2:  # the name matters more than a rate
        return cut(line.text, width - 1)
    text = cut(line.text, room)
    return f"{padded(text, room)} {line.right}" if line.right else text


def _rich_style(style: Style, chosen: Mapping[str, str]) -> str:
    """Return the style as rich spells it."""
    if style is Style.FAINT:
        return "dim" if chosen else ""
    code = chosen.get(style.value, "")
    if code.startswith("38;2;"):
        return f"rgb({','.join(code.split(';')[2:])})"
    if not code or code == "39":
        return ""
    number = int(code)
    return f"color({number - 30 if number < 90 else number - 82})"
