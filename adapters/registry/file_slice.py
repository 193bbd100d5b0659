"""Slices of files as bodies of requests."""

from collections.abc import Iterator
from typing import BinaryIO


class FileSlice:
    """The bytes of ``content`` from ``start`` on, without reading them into memory.

    http.client treats it as a chunk of a body: it has a length, and is read to its end. A
    connection with a faster method accesses ``content`` directly.
    """

    def __init__(self, content: BinaryIO, start: int, size: int) -> None:
        self.content = content
        self.start = start
        self._size = size
        self._left = size

    def __len__(self) -> int:
        return self._size

    def read(self, size: int) -> bytes:
        """Return at most ``size`` bytes, none at the end of the slice."""
        data = self.content.read(min(size, self._left))
        self._left -= len(data)
        return data


class FileSliceBody:
    """A body of one slice, in the form of a stream for requests: each iteration starts anew."""

    def __init__(self, content: BinaryIO, start: int, size: int) -> None:
        self._content = content
        self._start = start
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[FileSlice]:
        self._content.seek(self._start)
        yield FileSlice(self._content, self._start, self._size)
