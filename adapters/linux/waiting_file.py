"""Files whose writers wait until there is room."""

import io
import select
from typing import Any


class WaitingFile(io.FileIO):
    """A file that waits where it is full, also if somebody made its description non-blocking.

    O_NONBLOCK belongs to the open file description, so to other processes as well (open(2)): they
    may set it at any time, and it is not ours to clear. Python raises BlockingIOError, and loses
    what it has in its buffer.
    """

    def write(self, data: Any, /) -> int:
        while True:
            written: int | None = super().write(data)
            if written is not None:
                return written
            room = select.poll()
            room.register(self.fileno(), select.POLLOUT)
            room.poll()
