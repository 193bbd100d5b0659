"""A terminal of the user at which a test types."""

import fcntl
import os
import select
import struct
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_PATIENCE_S = 10.0


@dataclass(slots=True)
class TypedTerminal:
    """A pseudo-terminal: ``device`` is the user's terminal, the test is the person in front."""

    device: int
    _person: int
    shown: str = ""
    _seen: int = 0

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._person, text.encode())

    def until(self, text: str) -> None:
        """Wait until ``text`` is shown, after the text of the last call."""
        end_s = time.monotonic() + _PATIENCE_S
        while (found := self.shown.find(text, self._seen)) < 0:
            left_s = end_s - time.monotonic()
            assert left_s > 0, f"no {text!r} in {self.shown[self._seen :]!r}"
            if select.select((self._person,), (), (), left_s)[0]:
                self.shown += os.read(self._person, 1 << 16).decode("utf-8", "replace")
        self._seen = found + len(text)

    def resize(self, rows: int, columns: int) -> None:
        """Give the terminal another size."""
        fcntl.ioctl(self._person, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @property
    def echoes(self) -> bool:
        """True in the modes of a shell, False in raw mode."""
        modes: int = termios.tcgetattr(self._person)[3]
        return bool(modes & termios.ECHO and modes & termios.ICANON and modes & termios.ISIG)


@contextmanager
def typed_terminal() -> Iterator[TypedTerminal]:
    """Make a terminal of 33 rows and 101 columns, and remove it."""
    person, device = os.openpty()
    terminal = TypedTerminal(device, person)
    terminal.resize(33, 101)
    try:
        yield terminal
    finally:
        os.close(person)
        os.close(device)
