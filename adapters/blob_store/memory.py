"""Blobs in a dict."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import BinaryIO

from img.application.ports.blob_store import (
    BlobMismatch,
    BlobNotFound,
    BlobStore,
    BlobWriter,
    IncomingBlob,
    Waiting,
)
from img.domain.digest import Digest

_POLL_S = 0.05


class MemoryBlobStore(BlobStore):
    """Blobs that are lost with the process: for tests, and for images that are only inspected."""

    def __init__(self, *blobs: bytes) -> None:
        self._blobs = {Digest.of(blob): blob for blob in blobs}
        self._incoming: dict[Digest, MemoryIncomingBlob] = {}
        self._lock = Lock()

    def open(self, digest: Digest) -> BinaryIO:
        try:
            return io.BytesIO(self._blobs[digest])
        except KeyError:
            raise BlobNotFound(digest) from None

    def writer(self) -> BlobWriter:
        return MemoryBlobWriter(self._blobs)

    @contextmanager
    def incoming(self, digest: Digest, waiting: Waiting) -> Iterator[IncomingBlob]:
        with self._lock:
            new = MemoryIncomingBlob(self._blobs, digest)
            blob = self._incoming.setdefault(digest, new)
        while not blob.held.acquire(timeout=_POLL_S):
            waiting(blob.size)
        try:
            yield blob
        finally:
            blob.held.release()

    def forget_incoming(self) -> None:
        with self._lock:
            for digest, blob in list(self._incoming.items()):
                if not blob.held.locked():
                    del self._incoming[digest]

    def size(self, digest: Digest) -> int | None:
        blob = self._blobs.get(digest)
        return None if blob is None else len(blob)

    def digests(self) -> Iterator[Digest]:
        yield from list(self._blobs)

    def remove(self, digest: Digest) -> None:
        self._blobs.pop(digest, None)


class MemoryBlobWriter(BlobWriter):
    """A new blob."""

    def __init__(self, blobs: dict[Digest, bytes]) -> None:
        self._blobs = blobs
        self._content = io.BytesIO()

    def write(self, data: bytes | memoryview) -> int:
        return self._content.write(data)

    def commit(self, expected: Digest | None = None) -> Digest:
        content = self._content.getvalue()
        self.abort()
        digest = expected.of_same(content) if expected else Digest.of(content)
        if expected is not None and digest != expected:
            raise BlobMismatch(expected, digest)
        self._blobs[digest] = content
        return digest

    def abort(self) -> None:
        self._content.close()


class MemoryIncomingBlob(IncomingBlob):
    """A blob that arrives in parts."""

    def __init__(self, blobs: dict[Digest, bytes], digest: Digest) -> None:
        self._blobs = blobs
        self._digest = digest
        self._content = bytearray()
        self.held = Lock()

    @property
    def size(self) -> int:
        return len(self._content)

    def stored(self) -> Iterator[bytes]:
        if self._content:
            yield bytes(self._content)

    def write(self, data: bytes | memoryview) -> int:
        self._content += data
        return len(data)

    def restart(self) -> None:
        self._content.clear()

    def check(self) -> None:
        actual = self._digest.of_same(self._content)
        if actual != self._digest:
            self.restart()
            raise BlobMismatch(self._digest, actual)

    def commit(self) -> None:
        self.check()
        self._blobs[self._digest] = bytes(self._content)
        self.restart()
