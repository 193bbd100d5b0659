"""Downloads that go on where a connection broke."""

import io
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from img.application.ports.remote_cache import RemoteCacheError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CHUNK = 256 * 1024  # bytes

_PAUSES = (0.2, 1.0, 3.0)  # seconds before the next connection, as long as nothing arrives
_PROGRESS = 64 * 1024  # bytes; less from a connection does not reset the pauses


class BrokenTransfer(RemoteCacheError):
    """A connection that ended early; another one may bring the rest."""


class ResumingStream(io.RawIOBase):
    """The bytes of a blob from a position to its end, and at most one byte more.

    ``open_at`` returns the chunks from a position on, and raises BrokenTransfer where another
    connection may help. Reading raises RemoteCacheError.
    """

    def __init__(
        self,
        open_at: Callable[[int], Iterator[bytes]],
        *,
        start: int,
        size: int,
        sleep: Callable[[float], None],
    ) -> None:
        self._open_at = open_at
        self._position = start
        self._size = size
        self._sleep = sleep
        self._chunks: Iterator[bytes] | None = None
        self._ready = memoryview(b"")
        self._failures = 0
        self._arrived = 0  # bytes from this connection

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        if not self._ready:
            self._ready = memoryview(self._next())
        count = min(len(view), len(self._ready), self._size + 1 - self._position)
        view[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        self._position += count
        return count

    def close(self) -> None:
        self._drop()
        super().close()

    def _next(self) -> bytes:
        while self._position <= self._size:
            try:
                if self._chunks is None:
                    self._chunks = self._open_at(self._position)
                chunk = next(self._chunks, b"")
                if not chunk and self._position < self._size:
                    raise BrokenTransfer(f"the transfer broke after {self._position} bytes")
            except BrokenTransfer as error:
                self._pause(error)
                continue
            self._arrived += len(chunk)
            return chunk
        return b""

    def _pause(self, error: BrokenTransfer) -> None:
        self._drop()
        if self._arrived >= _PROGRESS:
            self._failures = 0
        self._arrived = 0
        if self._failures >= len(_PAUSES):
            raise error
        self._sleep(_PAUSES[self._failures])
        self._failures += 1

    def _drop(self) -> None:
        chunks, self._chunks = self._chunks, None
        if chunks is not None and hasattr(chunks, "close"):
            chunks.close()
