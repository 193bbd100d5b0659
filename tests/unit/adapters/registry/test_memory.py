"""The simulator's faults; its virtues are in tests/contracts/test_registry.py."""

import io

import pytest

from img.adapters.registry.memory import MemoryRegistry
from img.application.ports.blob_store import BlobMismatch
from img.application.ports.registry import RegistryError
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference

_NAME = ImageReference.parse("registry.test/team/app:v1")


def _descriptor(content: bytes) -> Descriptor:
    return Descriptor(
        media_type=media_types.OCI_LAYER, digest=Digest.of(content), size=len(content)
    )


def test_what_it_holds_from_the_start_is_in_every_repository() -> None:
    registry = MemoryRegistry(holding=[b"base"])

    assert registry.has_blob(_NAME, Digest.of(b"base"))
    registry.push_blob(_NAME, _descriptor(b"base"), io.BytesIO(b"base"))
    assert registry.received == []


def test_it_tells_what_was_done_to_it() -> None:
    registry = MemoryRegistry()
    registry.push_blob(_NAME, _descriptor(b"app"), io.BytesIO(b"app"))
    registry.push_manifest(_NAME, b"{}", media_types.OCI_MANIFEST)
    registry.open_blob(_NAME, _descriptor(b"app"))

    assert registry.received == [b"app"]
    assert registry.names == {_NAME}
    assert registry.fetched == [Digest.of(b"app")]


def test_it_serves_corrupt_bytes_when_told_to() -> None:
    registry = MemoryRegistry()
    blob = registry.add_blob(_NAME, b"app")
    manifest = registry.push_manifest(_NAME, b"{}", media_types.OCI_MANIFEST)
    target = registry.resolve(_NAME)
    registry.corrupt(blob)
    registry.corrupt(manifest)

    assert registry.open_blob(_NAME, _descriptor(b"app")).read() != b"app"
    with pytest.raises(BlobMismatch):
        registry.manifest(_NAME, target)


def test_it_breaks_the_connection_when_told_to() -> None:
    registry = MemoryRegistry()
    registry.cut(registry.add_blob(_NAME, b"application"), after=3)

    stream = registry.open_blob(_NAME, _descriptor(b"application"))

    assert stream.read(3) == b"app"
    with pytest.raises(RegistryError):
        stream.read(1)


def test_it_is_lost_when_told_to() -> None:
    registry = MemoryRegistry()
    registry.lose("registry.test")

    with pytest.raises(RegistryError, match="cannot be reached"):
        registry.resolve(_NAME)
