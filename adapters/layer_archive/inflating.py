"""Decompression of single gzip members."""

from collections.abc import Callable

from img.adapters.layer_archive.decoding import decode
from img.application.ports.layer_archive import InvalidLayer

_OUTPUT = 1 << 20


class Inflater:
    """Decompresses one gzip member that arrives in pieces, and passes its content on."""

    def __init__(self, size: int, take: Callable[[bytes], object]) -> None:
        from isal import igzip_lib

        self._decoder = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        self._take = take
        self._left = size

    def add(self, piece: bytes) -> None:
        """Decompress the next ``piece``. Raises InvalidLayer if the member is too large."""
        decoder = self._decoder
        while not decoder.eof and (piece or not decoder.needs_input):
            chunk = decode(decoder.decompress, piece, _OUTPUT)
            piece = b""
            self._left -= len(chunk)
            if self._left < 0:
                break
            self._take(chunk)
        if self._left < 0 or piece or decoder.unused_data:
            raise InvalidLayer("a member of a layer is longer than its table says")

    def finish(self) -> None:
        """Raise InvalidLayer if the member is incomplete."""
        if not self._decoder.eof or self._left:
            raise InvalidLayer("a member of a layer is shorter than its table says")
