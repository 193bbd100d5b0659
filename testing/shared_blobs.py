"""Contract suite of shared stores."""

import io

import pytest

from img.application.ports.shared_blobs import SharedBlobs
from img.domain.digest import Digest
from img.domain.errors import ImgError
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.media_types import OCI_LAYER_GZIP

CONTENT = bytes(range(256)) * 1000


def descriptor_of(content: bytes) -> Descriptor:
    """Return the descriptor of a layer with these bytes."""
    return Descriptor(media_type=OCI_LAYER_GZIP, digest=Digest.of(content), size=len(content))


class SharedBlobsContract:
    """Promises of every SharedBlobs.

    Fixtures: ``store``, which is empty.
    """

    @pytest.mark.parametrize("content", [CONTENT, CONTENT * 90])  # 23 MB: several parts
    def test_a_blob_is_there_after_it_was_added(self, store: SharedBlobs, content: bytes) -> None:
        blob = descriptor_of(content)
        before = store.has(blob.digest)

        store.add(blob, io.BytesIO(content))

        assert (before, store.has(blob.digest)) == (False, True)
        with store.open(blob, 0) as stream:
            assert b"".join(iter(lambda: stream.read(1 << 20), b"")) == content

    @pytest.mark.parametrize("start", [1, 100_000, len(CONTENT) - 1])
    def test_a_blob_is_read_from_any_byte(self, store: SharedBlobs, start: int) -> None:
        blob = descriptor_of(CONTENT)
        store.add(blob, io.BytesIO(CONTENT))

        with store.open(blob, start) as stream:
            assert b"".join(iter(lambda: stream.read(1000), b"")) == CONTENT[start:]

    def test_adding_a_blob_again_changes_nothing(self, store: SharedBlobs) -> None:
        blob = descriptor_of(CONTENT)
        store.add(blob, io.BytesIO(CONTENT))
        store.add(blob, io.BytesIO(CONTENT))

        with store.open(blob, 0) as stream:
            assert stream.read() == CONTENT

    @pytest.mark.parametrize("content", [b"other bytes", CONTENT[:-1] + b"x", CONTENT * 90])
    def test_other_bytes_are_not_stored(self, store: SharedBlobs, content: bytes) -> None:
        promised = descriptor_of(content[:-1] + b"y")

        with pytest.raises(ImgError):
            store.add(promised, io.BytesIO(content))

        assert not store.has(promised.digest)
        store.add(promised, io.BytesIO(content[:-1] + b"y"))
        assert store.has(promised.digest)

    def test_a_blob_that_is_not_there_is_named(self, store: SharedBlobs) -> None:
        blob = descriptor_of(b"never added")

        with pytest.raises(ImgError, match=str(blob.digest)), store.open(blob, 0) as stream:
            stream.read()

    def test_the_name_leads_to_the_store(self, store: SharedBlobs) -> None:
        assert store.name
        assert store.repository == "" or store.name == f"registry:{store.repository}"
