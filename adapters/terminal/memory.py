"""A terminal in memory, at which a test types."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from img.application.ports.terminal import Terminal
from img.domain.process import TerminalSize


class MemoryTerminal(Terminal):
    """A terminal where the keys ``typed`` come, and then its end."""

    def __init__(self, typed: bytes = b"", *, present: bool = True) -> None:
        self._typed = typed
        self._present = present
        self.shown = b""
        self.is_raw = False

    def is_present(self) -> bool:
        return self._present

    def fileno(self) -> int:
        raise OSError("a terminal in memory has no descriptor")

    def size(self) -> TerminalSize:
        return TerminalSize()

    @contextmanager
    def raw(self, on_resize: Callable[[], None]) -> Iterator[None]:
        del on_resize  # its size does not change
        self.is_raw = True
        try:
            yield
        finally:
            self.is_raw = False

    def read(self) -> bytes:
        typed, self._typed = self._typed, b""
        return typed

    def write(self, data: bytes) -> None:
        self.shown += data
