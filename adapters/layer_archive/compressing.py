"""Hashing and compression of layers, of large ones in separate threads."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from img.adapters.layer_archive.inflating import Inflater
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

_Task = Callable[[], object]


class CompressedBlob:
    """A blob to which an uncompressed layer is written, in members."""

    def __init__(self, blob: BlobWriter, compression: Compression) -> None:
        self._blob = blob
        self._compression = compression
        self._compressor = _compressor(compression)
        self._diff = hashlib.sha256()
        self._size = 0  # bytes in the blob
        self._ended = 0  # bytes of ended members in the blob
        self._rest = b""  # less than a chunk
        self._is_open = True  # a member has begun
        self._uses_threads = False
        self._hashing = Feeder[_Task](_run, "hash layer")
        self._inflating = Feeder[_Task](_run, "read member")
        self._compressing = Feeder[_Task](_run, "compress layer")
        self.stored: list[int] = []  # sizes of the ended members in the blob, complete at the end

    def write(self, parts: Sequence[bytes | memoryview]) -> None:
        """Append ``parts``, together about 1 MiB."""
        data = b"".join((self._rest, *parts))
        end = len(data) - len(data) % _CHUNK
        whole = memoryview(data)
        for start in range(0, end, _CHUNK):
            self._put(whole[start : start + _CHUNK])
        self._rest = data[end:]
        self._is_open = True

    def cut(self) -> None:
        """End the member, so that the next byte begins another one."""
        if self._is_open:
            self._put(self._rest)
            self._compressing.put(self._end_member)
            self._rest = b""
            self._is_open = False

    def copy(self, pieces: Iterable[bytes], size: int) -> None:
        """Append a gzip member that is compressed already; the last one must have ended.

        ``pieces`` have about 1 MiB each. InvalidLayer is raised here or later if they are not one
        member with ``size`` bytes.
        """
        self._uses_threads = True
        self._is_open = False
        inflater = Inflater(size, self._hash_later)
        for piece in pieces:
            self._inflating.put(partial(inflater.add, piece))
            self._compressing.put(partial(self._write_blob, piece))
        self._inflating.put(inflater.finish)
        self._compressing.put(self._note_end)

    def close(self) -> DiffID:
        """Write the remaining data, and return the digest of the uncompressed layer."""
        if self._uses_threads:
            self.cut()
            for feeder in (self._inflating, self._hashing, self._compressing):
                feeder.finish()
        else:  # starting threads would take longer than their work
            self._diff.update(self._rest)
            self._compress(self._rest)
            self._end_member()
        return DiffID(Digest("sha256", self._diff.hexdigest()))

    def commit(self, diff_id: DiffID) -> Layer:
        """Commit the blob, and return the layer."""
        return Layer(
            diff_id,
            Descriptor(
                media_type=self._compression.algorithm.media_type,
                digest=self._blob.commit(),
                size=self._size,
            ),
        )

    def stop(self) -> None:
        """Stop the threads. The caller aborts the blob. Idempotent."""
        for feeder in (self._inflating, self._hashing, self._compressing):
            feeder.stop()

    def _put(self, chunk: bytes | memoryview) -> None:
        """Hash and compress ``chunk`` in the threads."""
        self._uses_threads = True
        if self._inflating.is_started:  # so that the order of the hashed chunks is kept
            self._inflating.put(partial(self._hash_later, chunk))
        else:
            self._hash_later(chunk)
        self._compressing.put(partial(self._compress, chunk))

    def _hash_later(self, chunk: bytes | memoryview) -> None:
        self._hashing.put(partial(self._diff.update, chunk))

    def _compress(self, chunk: bytes | memoryview) -> None:
        self._write_blob(self._compressor.compress(chunk))

    def _end_member(self) -> None:
        self._write_blob(self._compressor.flush())
        self._compressor = _compressor(self._compression)
        self._note_end()

    def _note_end(self) -> None:
        self.stored.append(self._size - self._ended)
        self._ended = self._size

    def _write_blob(self, data: bytes | memoryview) -> None:
        self._size += len(data)
        rest = memoryview(data)
        while rest:
            rest = rest[self._blob.write(rest) :]


def _run(task: _Task) -> None:
    task()


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
