"""The pseudo-terminal of a step, made by the process that becomes the step.

The user's terminal stays outside: a process with that could type into it (TIOCSTI).
"""

import fcntl
import os
import socket
import termios
from contextlib import suppress

from img.adapters.executor import reports
from img.adapters.linux import terminal_modes
from img.application.ports.executor import ExecutorUnavailable
from img.domain.filesystem.ownership import UserIdentity
from img.domain.process import TerminalSize

_OPEN = os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC


def take(
    channel: socket.socket, size: TerminalSize, devices: int | None = None, *, raw: bool = False
) -> None:
    """Make a pseudo-terminal the standard streams and the controlling terminal of this process.

    ``devices`` is a /dev of the step; without it, the terminal is of this process's /dev. ``raw``:
    another program connects it with a further one. The process is a session leader without a
    terminal. Raises ExecutorUnavailable.
    """
    try:
        if devices is None:
            master, end = os.openpty()
        else:
            master = os.open("pts/ptmx", _OPEN, dir_fd=devices)
            end = terminal_modes.other_end(master, _OPEN)
    except OSError as error:
        raise ExecutorUnavailable(
            f"no pseudo-terminal can be made: {error.strerror}",
            hint="pass a command: `img debug -- COMMAND`",
        ) from error
    terminal_modes.set_size(end, size)
    if raw:
        terminal_modes.apply(end, terminal_modes.raw(termios.tcgetattr(end)))
    reports.send_terminal(channel, master)
    os.close(master)
    fcntl.ioctl(end, termios.TIOCSCTTY, 0)
    for number in (0, 1, 2):
        os.dup2(end, number)
    os.close(end)


def give_to(user: UserIdentity) -> None:
    """Make ``user`` the owner of the terminal, as it opens /dev/stdout by its name."""
    with suppress(OSError):  # its group, of the host, has no number in this user namespace
        os.fchown(0, user.uid, -1)
