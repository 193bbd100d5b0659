"""Files whose readers and writers wait."""

import io
import select
from typing import Any

_CHUNK = 1 << 16


class WaitingFile(io.FileIO):
    """A file that waits where it is empty or full, whatever others make of its description.

    O_NONBLOCK belongs to the open file description, so to other processes as well (open(2)): they
    may set it at any time, and it is not ours to clear. Python's buffered files take it for the
    end when they read; when they write they raise BlockingIOError and lose what they hold.
    """

    def readinto(self, buffer: Any, /) -> int:
        while True:
            read: int | None = super().readinto(buffer)
            if read is not None:
                return read
            self._wait_for(select.POLLIN)

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            return self.readall()
        buffer = bytearray(size)
        return bytes(buffer[: self.readinto(buffer)])

    def readall(self) -> bytes:
        return b"".join(iter(lambda: self.read(_CHUNK), b""))

    def write(self, data: Any, /) -> int:
        while True:
            written: int | None = super().write(data)
            if written is not None:
                return written
            self._wait_for(select.POLLOUT)

    def _wait_for(self, event: int) -> None:
        ready = select.poll()
        ready.register(self.fileno(), event)
        ready.poll()
