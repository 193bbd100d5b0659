"""A forward-only reader of an uncompressed archive."""

import io
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from img.application.ports.layer_archive import InvalidLayer

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class TarStream:
    """Chunks of bytes as one stream with a position."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._chunk = b""
        self._at = 0  # in the chunk
        self._before = 0  # bytes of the chunks before this one

    @property
    def offset(self) -> int:
        """Return the position in the stream, in bytes."""
        return self._before + self._at

    def at_end(self) -> bool:
        """Tell whether the stream has ended."""
        return self._at == len(self._chunk) and not self._next()

    def take(self, size: int) -> bytes:
        """Return the next ``size`` bytes. Raises InvalidLayer if there are fewer."""
        end = self._at + size
        if end <= len(self._chunk):
            taken = self._chunk[self._at : end]
            self._at = end
            return taken
        return b"".join(self._rest_of(size))

    def pieces(self, size: int) -> Iterable[memoryview]:
        """Return the next ``size`` bytes in pieces. Raises InvalidLayer if there are fewer."""
        start, end = self._at, self._at + size
        if end > len(self._chunk):
            return self._rest_of(size)
        self._at = end  # the common case: a generator costs more than the bytes of most files
        return (memoryview(self._chunk)[start:end],) if size else ()

    def _rest_of(self, size: int) -> Iterator[memoryview]:
        while size:
            piece = memoryview(self._chunk)[self._at : self._at + size]
            if not piece:
                if not self._next():
                    raise InvalidLayer("the archive is cut short")
                continue
            self._at += len(piece)
            size -= len(piece)
            yield piece

    def skip_to(self, offset: int) -> None:
        """Move forward to ``offset``. Raises InvalidLayer if the stream ends before."""
        while offset > self._before + len(self._chunk):
            if not self._next():
                raise InvalidLayer("the archive is cut short")
        self._at = max(self._at, offset - self._before)

    def drain(self) -> None:
        """Read the rest, for a caller that hashes the chunks on their way."""
        while self._next():
            pass

    def _next(self) -> bool:
        self._before += len(self._chunk)
        self._chunk = next(self._chunks, b"")
        self._at = 0
        return bool(self._chunk)


class Content(io.RawIOBase):
    """The next ``size`` bytes of a stream as a file; invalid once the stream has moved on."""

    def __init__(self, stream: TarStream, size: int) -> None:
        self._pieces = iter(stream.pieces(size))
        self._rest = memoryview(b"")

    def pieces(self) -> Iterable[memoryview]:
        """Return all bytes in pieces, instead of ``read``."""
        return self._pieces

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            return self.readall()
        if not self._rest:
            self._rest = next(self._pieces, self._rest)
        piece = bytes(self._rest[:size])
        self._rest = self._rest[len(piece) :]
        return piece

    def readall(self) -> bytes:
        rest, self._rest = self._rest, memoryview(b"")
        return b"".join((rest, *self._pieces))

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        if not self._rest:
            self._rest = next(self._pieces, self._rest)
        piece = self._rest[: len(view)]
        view[: len(piece)] = piece
        self._rest = self._rest[len(piece) :]
        return len(piece)
