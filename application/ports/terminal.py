"""The terminal of the user, for a process with a pseudo-terminal of its own."""

from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from img.domain.process import TerminalSize


class Terminal(Protocol):
    """The terminal that img was started in. It is never given to a process of a step."""

    @abstractmethod
    def is_present(self) -> bool:
        """Return whether standard input is a terminal."""

    @abstractmethod
    def fileno(self) -> int:
        """Return a descriptor that is readable when ``read`` returns at once."""

    @abstractmethod
    def size(self) -> TerminalSize:
        """Return the present size."""

    @abstractmethod
    def raw(self, on_resize: Callable[[], None]) -> AbstractContextManager[None]:
        """Return a context in which each key is passed on at once, without an effect of its own.

        ``on_resize`` is called in it, in the main thread, when the size has changed. At the end,
        the terminal is as before.
        """

    @abstractmethod
    def read(self) -> bytes:
        """Return typed bytes; none if the terminal is gone."""

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Show all of ``data``."""
