"""A piece of a file on its way into a request."""

from collections.abc import Iterator
from typing import BinaryIO


class Piece:
    """The bytes of ``content`` from ``start`` on, where it is now; never held whole.

    As http.client wants a chunk of a body: it has a length, and is read to its end. A connection
    that can do better asks for what it is a piece of.
    """

    def __init__(self, content: BinaryIO, start: int, size: int) -> None:
        self.content = content
        self.start = start
        self._size = size
        self._left = size

    def __len__(self) -> int:
        return self._size

    def read(self, size: int) -> bytes:
        data = self.content.read(min(size, self._left))
        self._left -= len(data)
        return data


class PieceBody:
    """A body of one piece, as requests wants a stream: each iteration is from its start."""

    def __init__(self, content: BinaryIO, start: int, size: int) -> None:
        self._content = content
        self._start = start
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Piece]:
        self._content.seek(self._start)
        yield Piece(self._content, self._start, self._size)
