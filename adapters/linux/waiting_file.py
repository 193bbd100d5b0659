"""Files with blocking reads and writes, even if O_NONBLOCK is set."""

import io
import select
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CHUNK = 1 << 16


class WaitingFile(io.FileIO):
    """A file that waits for data or space, even if another process sets O_NONBLOCK.

    O_NONBLOCK belongs to the open file description, which other processes share (open(2)): they may
    set it at any time, and img must not clear it. Python's buffered files would take EAGAIN for the
    end of the file when reading, and raise BlockingIOError and lose their buffer when writing.
    """

    kept: bytearray | None = None  # a copy of what is written since ``keep``, unless None
    _most = 0

    def keep(self, most: int) -> None:
        """Keep a copy of what is written from now on, none if it is more than ``most`` bytes."""
        self._most = most
        self.kept = bytearray()

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
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
                self._copy(data, written)
                return written
            self._wait_for(select.POLLOUT)

    def _copy(self, data: Any, written: int) -> None:
        kept = self.kept  # another thread may set it to None
        if kept is None:
            return
        if len(kept) + written > self._most:
            self.kept = None
        else:
            kept += memoryview(data).cast("B")[:written]

    def _wait_for(self, event: int) -> None:
        ready = select.poll()
        ready.register(self.fileno(), event)
        ready.poll()
