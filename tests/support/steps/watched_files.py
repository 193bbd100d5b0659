"""A watch on the files that are opened (inotify(7))."""

import ctypes
import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_IN_OPEN = 0x20
_EVENT = struct.Struct("iIII")  # watch, mask, cookie, length of the name
_LIBC = ctypes.CDLL(None, use_errno=True)


@contextmanager
def watching(files: Iterable[Path]) -> Iterator[set[Path]]:
    """Enter with a set that holds, at the end, the files which were opened meanwhile."""
    opened: set[Path] = set()
    queue = _checked(_LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
    try:
        watched = {
            _checked(_LIBC.inotify_add_watch(queue, os.fsencode(file), _IN_OPEN)): file
            for file in files
        }
        yield opened
        opened.update(watched[watch] for watch in _events(queue))
    finally:
        os.close(queue)


def _events(queue: int) -> Iterator[int]:
    while True:
        try:
            events = os.read(queue, 1 << 16)
        except BlockingIOError:
            return
        while events:
            watch, _, _, length = _EVENT.unpack_from(events)
            yield watch
            events = events[_EVENT.size + length :]


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
