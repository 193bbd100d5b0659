"""Blobs in a dict."""

import hashlib
import io
from collections.abc import Iterator
from typing import BinaryIO

from img.application.ports.blob_store import BlobMismatch, BlobNotFound, BlobStore, BlobWriter
from img.domain.digest import Digest


class MemoryBlobStore(BlobStore):
    """Blobs that are gone with the process: for tests, and for images that are only looked at."""

    def __init__(self, *blobs: bytes) -> None:
        self._blobs = {Digest.of(blob): blob for blob in blobs}

    def open(self, digest: Digest) -> BinaryIO:
        try:
            return io.BytesIO(self._blobs[digest])
        except KeyError:
            raise BlobNotFound(digest) from None

    def writer(self) -> BlobWriter:
        return MemoryBlobWriter(self._blobs)

    def size(self, digest: Digest) -> int | None:
        blob = self._blobs.get(digest)
        return None if blob is None else len(blob)

    def digests(self) -> Iterator[Digest]:
        yield from list(self._blobs)

    def remove(self, digest: Digest) -> None:
        self._blobs.pop(digest, None)


class MemoryBlobWriter(BlobWriter):
    """A blob in the making."""

    def __init__(self, blobs: dict[Digest, bytes]) -> None:
        self._blobs = blobs
        self._content = io.BytesIO()

    def write(self, data: bytes | memoryview) -> int:
        return self._content.write(data)

    def commit(self, expected: Digest | None = None) -> Digest:
        content = self._content.getvalue()
        self.abort()
        algorithm = expected.algorithm if expected else "sha256"
        digest = Digest(algorithm, hashlib.new(algorithm, content).hexdigest())
        if expected is not None and digest != expected:
            raise BlobMismatch(expected, digest)
        self._blobs[digest] = content
        return digest

    def abort(self) -> None:
        self._content.close()
