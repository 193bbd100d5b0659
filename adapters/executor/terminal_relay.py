"""The connection of the user's terminal with the pseudo-terminal of a step."""

import os
import select
from contextlib import ExitStack, suppress

from img.adapters.linux import terminal_modes
from img.application.ports.terminal import Terminal

_CHUNK = 1 << 16  # bytes


class TerminalRelay:
    """Passes keys to the master side of a pseudo-terminal, and its output to the terminal.

    ``poll`` gets the descriptors to watch. Writing to the pseudo-terminal never blocks: a step that
    reads nothing could be waiting for its output to be read.
    """

    def __init__(self, terminal: Terminal, master: int, poll: "select.poll") -> None:
        self._terminal = terminal
        self._master = master
        self._poll = poll
        self._typed = b""  # what the pseudo-terminal does not take yet
        self._raw = ExitStack()
        self._is_open = True

    def start(self) -> None:
        """Pass on keys and output from now on. Raises OSError for no pseudo-terminal."""
        if not terminal_modes.is_pseudo(self._master):
            raise OSError("the step sent something that is no pseudo-terminal")
        os.set_blocking(self._master, False)
        self._poll.register(self._master, select.POLLIN)
        self._poll.register(self._terminal.fileno(), select.POLLIN)
        self._raw.enter_context(self._terminal.raw(self._resize))
        self._resize()

    def attend(self, descriptor: int, events: int) -> bool:
        """Pass on what has come; return False if the user's terminal is gone."""
        if descriptor == self._master:
            if events & select.POLLOUT:
                self._push()
            if events & select.POLLIN:
                self._show()
            elif events & ~select.POLLOUT:  # all processes have closed it
                self._poll.unregister(self._master)
            return True
        typed = self._terminal.read()
        if not typed:
            self._poll.unregister(descriptor)
            return False
        self._typed += typed
        self._push()
        return True

    def drain(self) -> None:
        """Show the rest of the output of a step that has ended."""
        while self._show():
            pass

    def end(self) -> None:
        """Restore the terminal and close the pseudo-terminal. Idempotent."""
        self._raw.close()
        for descriptor in (self._master, self._terminal.fileno()):
            with suppress(KeyError):  # it is not watched
                self._poll.unregister(descriptor)
        if self._is_open:
            self._is_open = False
            os.close(self._master)

    def _show(self) -> bool:
        """Show available output; return False if there is none."""
        try:
            data = os.read(self._master, _CHUNK)
        except OSError:  # EAGAIN, or EIO: all processes have closed it
            return False
        self._terminal.write(data)
        return bool(data)

    def _push(self) -> None:
        with suppress(OSError):  # EAGAIN, or EIO as above
            self._typed = self._typed[os.write(self._master, self._typed) :]
        # While it takes nothing, no more is read from the user's terminal.
        wants = select.POLLIN | (select.POLLOUT if self._typed else 0)
        with suppress(OSError):
            self._poll.modify(self._master, wants)
            self._poll.modify(self._terminal.fileno(), 0 if self._typed else select.POLLIN)

    def _resize(self) -> None:
        with suppress(OSError):
            terminal_modes.set_size(self._master, self._terminal.size())
