"""Decompression of layers, in the format that their first bytes identify."""

from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

from img.adapters.layer_archive.decoding import decode
from img.adapters.layer_archive.zstd_frames import zstd_frames
from img.application.ports.layer_archive import InvalidLayer

_INPUT = 256 << 10
_OUTPUT = 1 << 20
_XZ_MEMORY = 130 << 20  # bytes; for a dictionary of 128 MiB, twice that of `xz -9`

_GZIP = b"\x1f\x8b"
_BZIP2 = b"BZh"
_XZ = b"\xfd7zXZ\0"
_ZSTD = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"  # after a byte from 0x50 to 0x5f (RFC 8878, 3.1.2)


class _Decoder(Protocol):
    """The common interface of the bz2, lzma and isal decoders, for one member each."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


Began = Callable[[int, int], object]
"""Called where a member begins, and at the end: (offset in the content, in compressed bytes)."""


def _ignore(_content: int, _stored: int) -> None:
    pass


def decompressed(source: BinaryIO, began: Began = _ignore) -> Iterator[bytes]:
    """Yield the content of ``source`` in chunks of at most about 1 MiB, to its very end.

    ``began`` is called for the members of gzip and the frames of zstd.

    A decoder never uses more memory than its window, at most 128 MiB, and a few chunks. Raises
    InvalidLayer if the compressed data are damaged, truncated, or require a larger window.
    """
    start = _read_start(source)
    if start.startswith(_GZIP):
        return _members(source, start, _gzip_decoder, began)
    if start.startswith(_ZSTD) or start[1:].startswith(_ZSTD_SKIPPABLE):
        return zstd_frames(source, start, began)
    if start.startswith(_BZIP2):
        return _members(source, start, _bzip2_decoder)
    if start.startswith(_XZ):
        return _members(source, start, _xz_decoder)
    return _plain(source, start)


def _read_start(source: BinaryIO) -> bytes:
    start = b""
    while len(start) < len(_XZ) and (more := source.read(len(_XZ) - len(start))):
        start += more
    return start


def _plain(source: BinaryIO, start: bytes) -> Iterator[bytes]:
    if start:
        # To whole chunks, so that headers seldom straddle two.
        yield start + source.read(_OUTPUT - len(start))
    while chunk := source.read(_OUTPUT):
        yield chunk


def _members(
    source: BinaryIO, start: bytes, new: Callable[[], _Decoder], began: Began = _ignore
) -> Iterator[bytes]:
    """Yield the contents of all members in order; zeros between them are padding."""
    data = start
    stored, content = len(start), 0  # bytes that were read, and yielded
    while data:
        began(content, stored - len(data))
        decoder = new()
        while not decoder.eof:
            if decoder.needs_input and not data:
                data = source.read(_INPUT)
                stored += len(data)
                if not data:
                    raise InvalidLayer("the compressed data are cut short")
            chunk = decode(decoder.decompress, data, _OUTPUT)
            data = b""
            if chunk:
                content += len(chunk)
                yield chunk
        data = decoder.unused_data.lstrip(b"\0")
        while not data and (more := source.read(_INPUT)):
            stored += len(more)
            data = more.lstrip(b"\0")
    began(content, stored)


def _gzip_decoder() -> _Decoder:
    from isal import igzip_lib

    decoder: _Decoder = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    return decoder


def _bzip2_decoder() -> _Decoder:
    import bz2

    return bz2.BZ2Decompressor()


def _xz_decoder() -> _Decoder:
    import lzma

    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
