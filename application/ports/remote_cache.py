"""Caches of builds in object stores and in the cache services of CI systems."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import BinaryIO, Protocol

from img.domain.digest import Digest
from img.domain.errors import RemoteError
from img.domain.oci.descriptor import Descriptor
from img.domain.options.remote_cache import RemotePlace


class RemoteCacheError(RemoteError):
    """A remote cache that cannot be reached, or refuses a request."""


class RemoteCacheBusy(RemoteCacheError):
    """A remote cache that does not serve this build: a rate limit, or no credentials in this job.

    A build goes on without the cache.
    """


class RemoteBlobNotFound(RemoteCacheError):
    """A blob that a remote cache does not hold, or no longer holds."""

    def __init__(self, place: RemotePlace, digest: Digest) -> None:
        super().__init__(f"blob {digest} is not in the cache {place}")
        self.digest = digest


class RemoteCache(Protocol):
    """The manifests and blobs of one cache; used by several threads.

    All methods raise RemoteCacheError, RemoteCacheBusy. Requests that fail for a moment are
    repeated within limits. Nothing that is read is verified.
    """

    @property
    @abstractmethod
    def parallelism(self) -> int:
        """The number of blobs to upload at a time."""

    @abstractmethod
    def manifests(self) -> Iterator[bytes]:
        """Yield the manifests to read, the most important first; none from an empty cache."""

    @abstractmethod
    def publish(self, manifest: bytes) -> None:
        """Write the manifest under each name of the cache; readers see the old or the new one."""

    @abstractmethod
    def has(self, digest: Digest) -> bool:
        """Return whether the blob is there."""

    @abstractmethod
    def keep(self, digest: Digest) -> bool:
        """Return whether the blob is there, and keep it from expiring where the cache can."""

    @abstractmethod
    def add(self, blob: Descriptor, content: BinaryIO) -> bool:
        """Upload a blob to its end, and return whether it is there.

        It is not if another job has begun to upload it and does not end. A second upload changes
        nothing.
        """

    @abstractmethod
    def open(self, blob: Descriptor, start: int) -> BinaryIO:
        """Return the bytes of a blob from ``start`` on; the caller closes the stream.

        A stream of more bytes than the blob has ends after one of them. Opening and reading raise
        RemoteBlobNotFound. A transfer that breaks is resumed.
        """


class RemoteCaches(Protocol):
    """Opens remote caches."""

    @abstractmethod
    def open(self, place: RemotePlace) -> RemoteCache:
        """Return the cache at ``place``. Raises RemoteCacheError, RemoteCacheBusy."""
