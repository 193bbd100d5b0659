"""Moving blobs between registry and store."""

from collections.abc import Iterable
from threading import Event
from typing import BinaryIO

import pytest

from img.adapters.blob_origins.memory import MemoryBlobOrigins
from img.adapters.blob_store.memory import MemoryBlobStore
from img.adapters.index_store.memory import MemoryIndexStore
from img.adapters.layer_archive.tar import TarLayerArchive
from img.adapters.registry.memory import MemoryRegistry
from img.application.ports.blob_store import BlobMismatch
from img.application.ports.registry import Registry, RegistryError
from img.application.transfer.blobs import Transfer
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference

APP = ImageReference.parse("quay.io/team/app")


def a_transfer(registry: Registry, blobs: Iterable[bytes] = ()) -> Transfer:
    return Transfer(
        blobs=MemoryBlobStore(*blobs),
        origins=MemoryBlobOrigins(),
        indexes=MemoryIndexStore(),
        archive=TarLayerArchive(),
        registry=registry,
    )


def named(content: bytes) -> Descriptor:
    return Descriptor(
        media_type=media_types.OCI_LAYER_GZIP, digest=Digest.of(content), size=len(content)
    )


def test_a_small_blob_is_fetched_once() -> None:
    registry = MemoryRegistry(holding=[b"config"])
    transfer = a_transfer(registry)

    assert transfer.pull_blob(APP, named(b"config")) == b"config"
    assert transfer.pull_blob(APP, named(b"config")) == b"config"

    assert registry.fetched == [Digest.of(b"config")]


def test_a_small_blob_that_is_something_else_is_not_stored() -> None:
    registry = MemoryRegistry(holding=[b"config"])
    registry.corrupt(Digest.of(b"config"))
    transfer = a_transfer(registry)

    with pytest.raises(BlobMismatch):
        transfer.pull_blob(APP, named(b"config"))

    assert list(transfer.blobs.digests()) == []


class RefusingRegistry(MemoryRegistry):
    """A store that refuses all blobs, the first one only after further requests."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self._busy = Event()

    def push_blob(self, reference: ImageReference, blob: Descriptor, content: BinaryIO) -> None:
        self.asked += 1
        self._busy.wait(0.05)
        raise RegistryError("registry quay.io refuses")


def test_after_a_refusal_no_further_upload_is_begun() -> None:
    registry = RefusingRegistry()
    blobs = [b"%d" % number for number in range(200)]
    transfer = a_transfer(registry, blobs)

    with pytest.raises(RegistryError, match="refuses"):
        transfer.push_blobs(APP, [named(blob) for blob in blobs])

    assert registry.asked < 20
