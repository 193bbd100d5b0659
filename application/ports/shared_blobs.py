"""Blobs that the machines of a cluster exchange (``--cluster-store``)."""

from abc import abstractmethod
from typing import BinaryIO, Protocol

from img.domain.digest import Digest
from img.domain.errors import RemoteError
from img.domain.oci.descriptor import Descriptor
from img.domain.options.cluster_store import ClusterStore


class SharedBlobsError(RemoteError):
    """A shared store that cannot be reached, is full, or refuses a request."""


class SharedBlobNotFound(SharedBlobsError):
    """A blob that a shared store does not hold, or no longer holds."""

    def __init__(self, store: str, digest: Digest) -> None:
        super().__init__(f"blob {digest} is not in the cluster store {store}")
        self.digest = digest


class SharedBlobs(Protocol):
    """Blobs by their digest, which several machines add and read at the same time.

    Other writers of the store are not trusted: readers verify each blob. All methods raise
    SharedBlobsError; a store in a registry also RegistryError, one in a bucket RemoteCacheError.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """The text of ``--cluster-store`` that names this store on every machine."""

    @property
    @abstractmethod
    def repository(self) -> str:
        """The repository (``registry/path``) that holds the blobs, "" if it is no registry."""

    @abstractmethod
    def has(self, digest: Digest) -> bool:
        """Return whether the blob is there. It may be damaged."""

    @abstractmethod
    def add(self, blob: Descriptor, content: BinaryIO) -> None:
        """Store the blob, unless it is there; ``content`` is seekable and stays open.

        Atomic: a reader finds the whole blob or none, also after this process was killed. Raises
        BlobMismatch or an error of the store if ``content`` is not the blob; then nothing is
        stored.
        """

    @abstractmethod
    def open(self, blob: Descriptor, start: int) -> BinaryIO:
        """Return the bytes of a blob from ``start`` on, which is less than its size.

        The caller closes the stream and verifies the blob (``application/transfer/download.py``).
        A stream of more bytes than the blob has may end after one of them. Opening or reading
        raises SharedBlobNotFound, or an error of the store, for a blob that is not there. A store
        with several copies of a blob gives another one after a copy with other bytes was read to
        its end.
        """


class SharedBlobStores(Protocol):
    """Opens shared stores."""

    @abstractmethod
    def open(self, place: ClusterStore) -> SharedBlobs:
        """Return the store at ``place``. Raises SharedBlobsError, RemoteCacheError."""
