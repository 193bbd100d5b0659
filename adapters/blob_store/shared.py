"""Blobs in the stores of other users, which img only reads."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from img.adapters.blob_store.checked_file import checked_file
from img.adapters.linux.regular_files import open_regular
from img.application.log import logger
from img.application.ports.blob_store import (
    BlobDamaged,
    BlobFacts,
    BlobNotFound,
    BlobStore,
    BlobTrash,
    BlobWriter,
    IncomingBlob,
    Waiting,
)
from img.domain.digest import Digest

log = logger("shared_store")

_PIECE = 1 << 20  # bytes
_Identity = tuple[int, ...]


class SharedBlobs:
    """The blobs below a directory, an OCI layout or a state of img, of any owner.

    Each is verified to its end before any byte of it is used, once for this process unless the file
    changes.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._verified: dict[Digest, _Identity] = {}
        self._refused: set[Digest] = set()
        self._lock = Lock()

    def open(self, digest: Digest) -> BinaryIO | None:
        """Return the blob, None if it is not there. Raises BlobDamaged."""
        try:
            blob = checked_file(self._path(digest), digest)
        except OSError:  # also without permission
            return None
        try:
            self._verify(digest, blob.fileno())
        except BaseException:
            blob.close()
            raise
        return blob

    def size(self, digest: Digest) -> int | None:
        """Return the size of the blob, None if it is not there or is known to be damaged."""
        if digest in self._refused:
            return None
        try:
            file = open_regular(self._path(digest))  # a stat alone does not tell the permission
        except OSError:
            return None
        try:
            return os.fstat(file).st_size
        finally:
            os.close(file)

    def refuse(self, digest: Digest) -> None:
        """Use the blob no more, so that another copy is fetched."""
        self._refused.add(digest)

    def _verify(self, digest: Digest, file: int) -> None:
        """Read an open file without moving its offset: the path may lead to another by now."""
        if digest in self._refused:
            raise BlobDamaged(digest)
        identity = _identity_of(file)
        if self._verified.get(digest) == identity:
            return
        found, place = digest.new_hash(), 0
        while piece := os.pread(file, _PIECE, place):
            found.update(piece)
            place += len(piece)
        if found.hexdigest() != digest.encoded or _identity_of(file) != identity:
            log.warning("damaged blob in a shared store", file=self._path(digest))
            self.refuse(digest)
            raise BlobDamaged(digest)
        with self._lock:
            self._verified[digest] = identity

    def _path(self, digest: Digest) -> str:
        return f"{self._root}/blobs/{digest.algorithm}/{digest.encoded}"


def _identity_of(file: int) -> _Identity:
    found = os.fstat(file)
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


class WithSharedBlobs(BlobStore, BlobTrash):
    """The user's own store, and behind it shared ones: their blobs need not be fetched or copied.

    Only blobs of the own store are listed, deleted, and counted.
    """

    def __init__(self, own: BlobStore, shared: Sequence[SharedBlobs]) -> None:
        assert isinstance(own, BlobTrash)
        self._own = own
        self._trash: BlobTrash = own
        self._shared = shared

    def open(self, digest: Digest) -> BinaryIO:
        try:
            return self._own.open(digest)
        except BlobNotFound:
            for store in self._shared:
                if (blob := store.open(digest)) is not None:
                    return blob
            raise

    def size(self, digest: Digest) -> int | None:
        own = self._own.size(digest)
        if own is not None:
            return own
        return next(
            (size for each in self._shared if (size := each.size(digest)) is not None), None
        )

    def adopt(self, digest: Digest) -> None:
        """Copy a shared blob into the own store, unless it is there. Raises StoreFull …"""
        if self._own.size(digest) is not None:
            return
        writer = self._own.writer()
        try:
            with self.open(digest) as blob:
                while piece := blob.read(_PIECE):
                    writer.write(piece)
            writer.commit(digest)
        finally:
            writer.abort()

    def writer(self) -> BlobWriter:
        return self._own.writer()

    @contextmanager
    def incoming(self, digest: Digest, waiting: Waiting) -> Iterator[IncomingBlob]:
        with self._own.incoming(digest, waiting) as blob:
            yield blob

    def forget_incoming(self) -> None:
        self._own.forget_incoming()

    def digests(self) -> Iterator[Digest]:
        return self._own.digests()

    def remove(self, digest: Digest) -> None:
        for store in self._shared:
            store.refuse(digest)
        self._own.remove(digest)

    def facts(self, digest: Digest) -> BlobFacts | None:
        return self._trash.facts(digest)

    def mark_for_deletion(self, digest: Digest, generation: int) -> None:
        self._trash.mark_for_deletion(digest, generation)

    def marked_for_deletion(self) -> Iterator[tuple[int, Digest]]:
        return self._trash.marked_for_deletion()

    def sweep(self, generation: int) -> None:
        self._trash.sweep(generation)

    def claim(self, digests: Iterable[Digest]) -> None:
        self._trash.claim(digests)
