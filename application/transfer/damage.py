"""Damaged blobs."""

from collections.abc import Iterator
from contextlib import contextmanager

from img.application.log import logger
from img.application.ports.blob_store import BlobDamaged, BlobStore
from img.domain.digest import Digest
from img.domain.errors import StateError

log = logger("damage")

_CHUNK = 1 << 20


def check_blob(blobs: BlobStore, digest: Digest) -> None:
    """Read a blob to its end. Raises BlobNotFound, BlobDamaged."""
    with blobs.open(digest) as stream:
        while stream.read(_CHUNK):
            pass


def drop_damaged(blobs: BlobStore, digest: Digest) -> bool:
    """Delete the blob if it is damaged; return whether it was.

    It is fetched or made again when it is needed.
    """
    try:
        check_blob(blobs, digest)
    except BlobDamaged:
        try:
            blobs.remove(digest)
        except StateError:  # without write permission
            return False
        log.info("damaged blob deleted", digest=str(digest))
        return True
    return False


@contextmanager
def dropping_damaged(blobs: BlobStore) -> Iterator[None]:
    """Delete the blob of a BlobDamaged error, so that a retry fetches or makes it again."""
    try:
        yield
    except BlobDamaged as error:
        drop_damaged(blobs, error.digest)
        raise
