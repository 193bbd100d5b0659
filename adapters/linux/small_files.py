"""Small files, read and written with os.open, for processes that may not use the built-in open.

Python's library opens its own files with the built-in open, so a process in a foreign root ends
itself when that is called with a path (adapters/executor/closed_interpreter.py).
"""

import os

Path = str | bytes

_MOST = 1 << 16  # bytes per read


def read_start(path: Path, size: int = _MOST) -> bytes:
    """Return up to ``size`` bytes from the start, the result of one read. Raises OSError."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return os.read(file, size)
    finally:
        os.close(file)


def read_all(path: Path) -> bytes:
    """Return the whole content of the file. Raises OSError."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        pieces = []
        while piece := os.read(file, _MOST):
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        os.close(file)


def create(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Create the file with ``content``. Raises OSError."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        write(file, content)
    finally:
        os.close(file)


def write(file: int, content: bytes) -> None:
    """Write all of ``content`` to an open file. Raises OSError."""
    left = memoryview(content)
    while left:
        left = left[os.write(file, left) :]


def append(path: Path, content: bytes) -> None:
    """Append ``content`` to the file; create the file if it is missing. Raises OSError."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    file = os.open(path, flags, 0o600)
    try:
        os.write(file, content)
    finally:
        os.close(file)
