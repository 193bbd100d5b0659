"""Shared blobs in a repository of a registry."""

from typing import BinaryIO

from img.application.ports.registry import Registry
from img.application.ports.shared_blobs import SharedBlobs
from img.domain.digest import Digest
from img.domain.oci.descriptor import Descriptor
from img.domain.options.cluster_store import RegistryStore


class RegistrySharedBlobs(SharedBlobs):
    """Blobs of one repository, without manifests; the registry verifies what it gets.

    A registry may delete blobs that no manifest names (its garbage collection).
    """

    def __init__(self, place: RegistryStore, registry: Registry) -> None:
        self._place = place
        self._registry = registry

    @property
    def name(self) -> str:
        return str(self._place)

    @property
    def repository(self) -> str:
        return self._place.reference.repository

    def has(self, digest: Digest) -> bool:
        return self._registry.has_blob(self._place.reference, digest)

    def add(self, blob: Descriptor, content: BinaryIO) -> None:
        if not self.has(blob.digest):
            self._registry.push_blob(self._place.reference, blob, content)

    def open(self, blob: Descriptor, start: int) -> BinaryIO:
        return self._registry.open_blob(self._place.reference, blob, start)
