"""Shared blobs in memory."""

import io
from dataclasses import field
from typing import BinaryIO

from img.application.ports.blob_store import BlobMismatch
from img.application.ports.shared_blobs import (
    SharedBlobNotFound,
    SharedBlobs,
    SharedBlobStores,
)
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import ImgError
from img.domain.oci.descriptor import Descriptor
from img.domain.options.cluster_store import ClusterStore


@dataclass(slots=True, kw_only=True)
class MemorySharedBlobs(SharedBlobs):
    """A store for tests, which read and change its content.

    ``failures`` are raised by methods of these names; ``calls`` are the names of methods called.
    """

    name: str = "memory"
    repository: str = ""
    blobs: dict[Digest, bytes] = field(default_factory=dict)
    failures: dict[str, ImgError] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def has(self, digest: Digest) -> bool:
        self._call("has")
        return digest in self.blobs

    def add(self, blob: Descriptor, content: BinaryIO) -> None:
        self._call("add")
        data = content.read()
        if Digest.of(data) != blob.digest:
            raise BlobMismatch(blob.digest, Digest.of(data))
        self.blobs.setdefault(blob.digest, data)

    def open(self, blob: Descriptor, start: int) -> BinaryIO:
        self._call("open")
        if blob.digest not in self.blobs:
            raise SharedBlobNotFound(self.name, blob.digest)
        return io.BytesIO(self.blobs[blob.digest][start : blob.size + 1])

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if (failure := self.failures.get(name)) is not None:
            raise failure


class MemorySharedBlobStores(SharedBlobStores):
    """Stores by the text of their place; one that is not there is made."""

    def __init__(self) -> None:
        self.stores: dict[str, MemorySharedBlobs] = {}

    def open(self, place: ClusterStore) -> MemorySharedBlobs:
        return self.stores.setdefault(str(place), MemorySharedBlobs(name=str(place)))
