"""Hashing and compression of layers, of large ones in separate threads."""

import hashlib
from collections.abc import Sequence
from typing import Any

from img.adapters.layer_archive.threads import Feeder
from img.application.ports.blob_store import BlobWriter
from img.domain.digest import Digest
from img.domain.oci.chain import DiffID, Layer
from img.domain.oci.compression import Algorithm, Compression
from img.domain.oci.descriptor import Descriptor

# The output of compressors depends on how the input is cut, so it is always cut the same way.
_CHUNK = 1 << 20
# Of isal's levels 0 to 3, the sizes on a Debian root are 0.57, 0.488, 0.484 and 0.478; 1 and 2 are
# equally fast (330 MB/s), 3 takes twice as long for the last hundredth.
_ISAL_LEVEL = 2
_GZIP_WINDOW = 31  # zlib.h: 15 bits and a gzip header, without time and name
_ZSTD_LEVEL = 3


class CompressedBlob:
    """A blob to which an uncompressed layer is written."""

    def __init__(self, blob: BlobWriter, compression: Compression) -> None:
        self._blob = blob
        self._algorithm = compression.algorithm
        self._compressor = _compressor(compression)
        self._diff = hashlib.sha256()
        self._size = 0
        self._rest = b""  # less than a chunk
        self._is_large = False
        self._hashing = Feeder(self._diff.update, "hash layer")
        self._compressing = Feeder(self._compress, "compress layer")

    def write(self, parts: Sequence[bytes]) -> None:
        """Append ``parts``, together about 1 MiB."""
        data = b"".join((self._rest, *parts))
        end = len(data) - len(data) % _CHUNK
        whole = memoryview(data)
        for start in range(0, end, _CHUNK):
            chunk = whole[start : start + _CHUNK]
            self._hashing.put(chunk)
            self._compressing.put(chunk)
        self._rest = data[end:]
        self._is_large = self._is_large or end > 0

    def close(self) -> DiffID:
        """Write the remaining data, and return the digest of the uncompressed layer."""
        if self._is_large:
            for feeder in (self._hashing, self._compressing):
                feeder.put(self._rest)
                feeder.finish()
        else:  # starting threads would take longer than their work
            self._diff.update(self._rest)
            self._compress(self._rest)
        self._write_blob(self._compressor.flush())
        return DiffID(Digest("sha256", self._diff.hexdigest()))

    def commit(self, diff_id: DiffID) -> Layer:
        """Commit the blob, and return the layer."""
        return Layer(
            diff_id,
            Descriptor(
                media_type=self._algorithm.media_type, digest=self._blob.commit(), size=self._size
            ),
        )

    def stop(self) -> None:
        """Stop the threads. The caller aborts the blob. Idempotent."""
        self._hashing.stop()
        self._compressing.stop()

    def _compress(self, chunk: bytes | memoryview) -> None:
        self._write_blob(self._compressor.compress(chunk))

    def _write_blob(self, data: bytes | memoryview) -> None:
        self._size += len(data)
        rest = memoryview(data)
        while rest:
            rest = rest[self._blob.write(rest) :]


class _Stored:
    """A compressor that stores the bytes unchanged."""

    def compress(self, data: bytes | memoryview) -> bytes | memoryview:
        return data

    def flush(self) -> bytes:
        return b""


def _compressor(compression: Compression) -> Any:
    match compression.algorithm:
        case Algorithm.NONE:
            return _Stored()
        case Algorithm.ZSTD:
            import zstandard

            # Without zstd's threads, which would buffer 10^8 bytes.
            level = compression.level or _ZSTD_LEVEL
            return zstandard.ZstdCompressor(level=level, write_checksum=True).compressobj()
        case Algorithm.GZIP if compression.level is None:
            from isal import isal_zlib

            return isal_zlib.compressobj(_ISAL_LEVEL, wbits=_GZIP_WINDOW)
        case Algorithm.GZIP:
            import zlib

            return zlib.compressobj(compression.level, wbits=_GZIP_WINDOW)
