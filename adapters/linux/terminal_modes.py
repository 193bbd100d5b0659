"""Modes and sizes of terminals (termios(3), ioctl_tty(2))."""

import fcntl
import struct
import termios
from typing import TypeAlias

from img.domain.process import TerminalSize

# The form of the termios module: numbers, and the control characters last.
Attributes: TypeAlias = "list[int | list[bytes | int]]"

_INPUT, _OUTPUT, _CONTROL, _LOCAL, _CHARACTERS = 0, 1, 2, 3, 6
_SIZE = struct.Struct("HHHH")  # struct winsize
_TIOCGPTN, _TIOCSPTLCK, _TIOCGPTPEER = 0x8004_5430, 0x4004_5431, 0x5441  # asm-generic/ioctls.h
_NUMBER = struct.Struct("i")


def raw(attributes: Attributes) -> Attributes:
    """Return the attributes with each byte passed on as it is (cfmakeraw(3))."""
    changed = list(attributes)
    for place, flags in (
        (
            _INPUT,
            termios.IGNBRK
            | termios.BRKINT
            | termios.PARMRK
            | termios.ISTRIP
            | termios.INLCR
            | termios.IGNCR
            | termios.ICRNL
            | termios.IXON,
        ),
        (_OUTPUT, termios.OPOST),
        (_CONTROL, termios.CSIZE | termios.PARENB),
        (_LOCAL, termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN),
    ):
        number = changed[place]
        assert isinstance(number, int)
        changed[place] = number & ~flags
    number = changed[_CONTROL]
    assert isinstance(number, int)
    changed[_CONTROL] = number | termios.CS8
    characters = changed[_CHARACTERS]
    assert isinstance(characters, list)
    characters = list(characters)
    characters[termios.VMIN], characters[termios.VTIME] = 1, 0
    changed[_CHARACTERS] = characters
    return changed


def apply(terminal: int, attributes: Attributes) -> None:
    """Set the attributes at once. Raises termios.error."""
    termios.tcsetattr(terminal, termios.TCSANOW, attributes)


def size_of(terminal: int) -> TerminalSize:
    """Return the size. Raises termios.error."""
    try:
        answer = fcntl.ioctl(terminal, termios.TIOCGWINSZ, bytes(_SIZE.size))
    except OSError as error:
        raise termios.error(*error.args) from error
    rows, columns, _, _ = _SIZE.unpack(answer)
    return TerminalSize(rows, columns) if rows and columns else TerminalSize()


def set_size(terminal: int, size: TerminalSize) -> None:
    """Set the size; the kernel signals a change to the processes. Raises OSError."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, _SIZE.pack(size.rows, size.columns, 0, 0))


def other_end(master: int, flags: int) -> int:
    """Return the other end of a new pseudo-terminal; no path is looked up. Raises OSError."""
    fcntl.ioctl(master, _TIOCSPTLCK, _NUMBER.pack(0))
    return int(fcntl.ioctl(master, _TIOCGPTPEER, flags))


def is_pseudo(descriptor: int) -> bool:
    """Return whether the descriptor is that of the master side of a pseudo-terminal."""
    try:
        fcntl.ioctl(descriptor, _TIOCGPTN, bytes(_NUMBER.size))
    except OSError:
        return False
    return True
