"""Remote caches in memory."""

import io
from collections.abc import Iterator
from dataclasses import field
from typing import BinaryIO

from img.application.ports.remote_cache import RemoteBlobNotFound, RemoteCache, RemoteCaches
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import ImgError
from img.domain.oci.descriptor import Descriptor
from img.domain.options.remote_cache import RemotePlace


@dataclass(slots=True, kw_only=True)
class MemoryRemoteCache(RemoteCache):
    """A cache for tests, which read and change its content.

    ``failures`` are raised by methods of these names; ``calls`` are the names of methods called.
    """

    place: RemotePlace
    stored_manifests: list[bytes] = field(default_factory=list)
    blobs: dict[Digest, bytes] = field(default_factory=dict)
    failures: dict[str, ImgError] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    parallelism: int = 4

    def manifests(self) -> Iterator[bytes]:
        self._call("manifests")
        yield from self.stored_manifests

    def publish(self, manifest: bytes) -> None:
        self._call("publish")
        self.stored_manifests = [manifest]

    def has(self, digest: Digest) -> bool:
        self._call("has")
        return digest in self.blobs

    def keep(self, digest: Digest) -> bool:
        self._call("keep")
        return digest in self.blobs

    def add(self, blob: Descriptor, content: BinaryIO) -> bool:
        self._call("add")
        self.blobs.setdefault(blob.digest, content.read())
        return True

    def open(self, blob: Descriptor, start: int) -> BinaryIO:
        self._call("open")
        if blob.digest not in self.blobs:
            raise RemoteBlobNotFound(self.place, blob.digest)
        return io.BytesIO(self.blobs[blob.digest][start : blob.size + 1])

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if (failure := self.failures.get(name)) is not None:
            raise failure


class MemoryRemoteCaches(RemoteCaches):
    """Remote caches by the text of their place; one that is not there is made."""

    def __init__(self) -> None:
        self.caches: dict[str, MemoryRemoteCache] = {}
        self.failure: ImgError | None = None  # raised by ``open``

    def open(self, place: RemotePlace) -> MemoryRemoteCache:
        if self.failure is not None:
            raise self.failure
        return self.caches.setdefault(str(place), MemoryRemoteCache(place=place))
