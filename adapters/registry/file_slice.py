"""Slices of files as bodies of requests."""

import io
import os
from collections.abc import Iterator
from socket import socket
from typing import BinaryIO


class FileSlice:
    """The bytes of ``content`` from ``start`` on, without reading them into memory.

    http.client treats it as a chunk of a body: it has a length, and is read to its end.
    """

    def __init__(self, content: BinaryIO, start: int, size: int) -> None:
        self._content = content
        self._start = start
        self._size = size
        self._left = size

    def __len__(self) -> int:
        return self._size

    def send_to(self, connection: socket) -> None:
        """Send the slice with sendfile(2), which is faster than to read it."""
        try:
            descriptor = self._content.fileno()
        except (AttributeError, io.UnsupportedOperation):  # not a file
            connection.sendfile(self._content, self._start, self._size)
            return
        # If the request is abandoned, the content is closed meanwhile, and its descriptor may then
        # be that of another file.
        with open(os.dup(descriptor), "rb", buffering=0) as own:
            position = own.tell()
            try:
                connection.sendfile(own, self._start, self._size)
            finally:
                own.seek(position)  # the same one as that of the content, which may be buffered

    def read(self, size: int) -> bytes:
        """Return at most ``size`` bytes, none at the end of the slice."""
        data = self._content.read(min(size, self._left))
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
