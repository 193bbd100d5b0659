"""Zstandard frames, passed to the decoder block by block.

The output of a decoder of the zstandard package cannot be limited, and a block of 4 bytes may stand
for 128 KiB. So the blocks are counted here: RFC 8878, 3.1.1.
"""

from collections.abc import Callable, Iterator
from typing import BinaryIO

from img.adapters.layer_archive.decoding import decode
from img.application.ports.layer_archive import InvalidLayer

_INPUT = 256 << 10
_LARGEST_WINDOW = 128 << 20  # bytes; `zstd --ultra -22 --long=27`, and the limit of `zstd -d`
_MOST_BLOCKS = 2  # at a time: their content is at most 256 KiB, which fits in caches
_LARGEST_BLOCK = 128 << 10
_RUN = 1  # a block that is one repeated byte

_MAGIC = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = b"\x2a\x4d\x18"  # after a byte from 0x50 to 0x5f (3.1.2)


def zstd_frames(
    source: BinaryIO, start: bytes, began: Callable[[int, int], object]
) -> Iterator[bytes]:
    """Yield the content of the frames of ``source`` to its end; ``start`` was read already.

    ``began`` is called before each frame, and at the end, with the offsets in the content and in
    ``source``.
    Raises InvalidLayer if they are damaged, truncated, or require a window above 128 MiB.
    """
    import zstandard

    context = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW)
    data = _Input(source, start)
    content = 0
    while not data.at_end():
        stored = data.position
        magic = data.read(4)
        if magic == _MAGIC:
            began(content, stored)
            decoder = context.decompressobj()
            for blocks in _blocks(data):
                chunk = decode(decoder.decompress, blocks)
                if chunk:
                    content += len(chunk)
                    yield chunk
            if not decoder.eof:
                raise InvalidLayer("the compressed data are damaged")
        elif magic[1:] == _SKIPPABLE:
            data.skip(int.from_bytes(data.read(4), "little"))
        else:
            raise InvalidLayer("the compressed data are damaged: no zstd frame")
    began(content, data.position)


def _blocks(data: "_Input") -> Iterator[bytes]:
    """Yield a frame after its magic number: the header, then some blocks at a time."""
    has_checksum = _read_header(data)
    count, is_last = 0, False
    while not is_last:
        word = int.from_bytes(data.read(3), "little")
        is_last, kind, size = bool(word & 1), word >> 1 & 3, word >> 3
        if size > _LARGEST_BLOCK:
            raise InvalidLayer("the compressed data are damaged: a zstd block is too large")
        data.pass_over(1 if kind == _RUN else size)
        count += 1
        if is_last and has_checksum:
            data.pass_over(4)
        if is_last or count == _MOST_BLOCKS:
            yield data.take()
            count = 0


def _read_header(data: "_Input") -> bool:
    """Read a frame's header (3.1.1.1), and return whether a checksum follows the last block."""
    flags = data.read(1)[0]
    is_single = bool(flags & 0x20)  # one segment: the window is as large as the content
    window = 0 if is_single else _window_of(data.read(1)[0])
    data.pass_over((0, 1, 2, 4)[flags & 3])  # the dictionary's number
    size = data.read((is_single, 2, 4, 8)[flags >> 6])
    window = window or _content_size(size)
    if window > _LARGEST_WINDOW:
        raise InvalidLayer(
            f"the compressed data want a zstd window of {window} bytes, "
            f"more than {_LARGEST_WINDOW} (zstd --long=27)"
        )
    return bool(flags & 4)


def _window_of(byte: int) -> int:
    base = 1 << (10 + (byte >> 3))
    return base + base // 8 * (byte & 7)


def _content_size(field: bytes) -> int:
    size = int.from_bytes(field, "little")
    return size + 256 if len(field) == 2 else size


class _Input:
    """A buffer of compressed bytes, which are first read and then taken unchanged."""

    def __init__(self, source: BinaryIO, start: bytes) -> None:
        self._source = source
        self._data = start
        self._start = 0  # of the bytes that are not taken yet
        self._at = 0
        self._dropped = 0  # bytes before ``_data``

    @property
    def position(self) -> int:
        """The offset of the next byte."""
        return self._dropped + self._at

    def at_end(self) -> bool:
        return self._at == len(self._data) and not self._more()

    def read(self, size: int) -> bytes:
        """Return the next ``size`` bytes. Raises InvalidLayer if there are fewer."""
        self.pass_over(size)
        return self._data[self._at - size : self._at]

    def pass_over(self, size: int) -> None:
        """Read ``size`` bytes without returning them. Raises InvalidLayer if there are fewer."""
        while self._at + size > len(self._data):
            if not self._more():
                raise InvalidLayer("the compressed data are cut short")
        self._at += size

    def take(self) -> bytes:
        """Return all bytes that were read since the last call."""
        start, self._start = self._start, self._at
        return self._data[start : self._at]

    def skip(self, size: int) -> None:
        """Skip ``size`` bytes, and drop all bytes that were read before."""
        while size:
            self._start = self._at
            if self.at_end():
                raise InvalidLayer("the compressed data are cut short")
            step = min(size, len(self._data) - self._at)
            self._at += step
            size -= step
        self._start = self._at

    def _more(self) -> bool:
        """Read the next chunk, and drop the taken bytes. Return whether there was more."""
        more = self._source.read(_INPUT)
        self._data = self._data[self._start :] + more
        self._at -= self._start
        self._dropped += self._start
        self._start = 0
        return bool(more)
