"""The terminal at standard input and standard output."""

import os
import select
import signal
import termios
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from img.adapters.linux import terminal_modes
from img.application.ports.terminal import Terminal
from img.domain.process import TerminalSize

_CHUNK = 1 << 12  # bytes; the capacity of a terminal's input
_GONE = b""


class LocalTerminal(Terminal):
    """A terminal by its descriptors for input and output."""

    def __init__(self, keys: int = 0, display: int = 1) -> None:
        self._keys = keys
        self._display = display

    def is_present(self) -> bool:
        return os.isatty(self._keys)

    def fileno(self) -> int:
        return self._keys

    def size(self) -> TerminalSize:
        try:
            return terminal_modes.size_of(self._keys)
        except termios.error:
            return TerminalSize()

    @contextmanager
    def raw(self, on_resize: Callable[[], None]) -> Iterator[None]:
        former = termios.tcgetattr(self._keys)
        modes = _Modes(self._keys, former, on_resize)
        handlers = {number: signal.signal(number, modes.handle) for number in modes.signals}
        try:
            modes.set_raw()
            yield
        finally:
            # First of all: a second interrupt may end this block.
            modes.restore()
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def read(self) -> bytes:
        try:
            return os.read(self._keys, _CHUNK)
        except BlockingIOError:  # another process has made the terminal non-blocking
            select.select((self._keys,), (), ())
            return self.read()
        except OSError:  # EIO: the terminal has been closed
            return _GONE

    def write(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._display, data) :]
            except BlockingIOError:
                select.select((), (self._display,), ())


class _Modes:
    """The modes of a terminal while img runs, is stopped, and continues."""

    signals = (signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT)

    def __init__(
        self, terminal: int, former: terminal_modes.Attributes, on_resize: Callable[[], None]
    ) -> None:
        self._terminal = terminal
        self._former = former
        self._on_resize = on_resize

    def set_raw(self) -> None:
        terminal_modes.apply(self._terminal, terminal_modes.raw(self._former))

    def restore(self) -> None:
        with suppress(termios.error):  # the terminal has been closed
            terminal_modes.apply(self._terminal, self._former)

    def handle(self, number: int, _frame: types.FrameType | None) -> None:
        if number == signal.SIGTSTP:
            # Of another process: the key has no effect. The shell of the user gets its modes.
            self.restore()
            os.kill(os.getpid(), signal.SIGSTOP)
        if number != signal.SIGWINCH:
            with suppress(termios.error):
                self.set_raw()
        self._on_resize()
