"""Files with blocking reads and writes, even if O_NONBLOCK is set."""

import io
import select
from typing import Any

_CHUNK = 1 << 16


class WaitingFile(io.FileIO):
    """A file that waits for data or space, even if another process sets O_NONBLOCK.

    O_NONBLOCK belongs to the open file description, which other processes share (open(2)): they may
    set it at any time, and img must not clear it. Python's buffered files would take EAGAIN for the
    end of the file when reading, and raise BlockingIOError and lose their buffer when writing.
    """

    kept: bytearray | None = None  # a copy of what is written from now on, unless None

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
                if self.kept is not None:
                    self.kept += memoryview(data).cast("B")[:written]
                return written
            self._wait_for(select.POLLOUT)

    def _wait_for(self, event: int) -> None:
        ready = select.poll()
        ready.register(self.fileno(), event)
        ready.poll()
