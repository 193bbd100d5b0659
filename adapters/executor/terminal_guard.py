"""The modes of the user's terminal, to restore them after img was killed."""

import os
import termios
from contextlib import suppress

from img.adapters.linux import terminal_modes


class TerminalGuard:
    """A terminal that another process is about to make raw; takes over the descriptor."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._modes: terminal_modes.Attributes | None = None
        with suppress(termios.error):  # no terminal
            self._modes = termios.tcgetattr(terminal)

    def restore(self) -> None:
        """Restore the modes, unless another program, such as the user's shell, has set its own."""
        if self._modes is None:
            return
        with suppress(termios.error):
            if termios.tcgetattr(self._terminal) == terminal_modes.raw(self._modes):
                terminal_modes.apply(self._terminal, self._modes)

    def close(self) -> None:
        """Leave the terminal as it is."""
        os.close(self._terminal)
