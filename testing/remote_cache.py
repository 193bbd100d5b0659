"""Contract suite of remote caches."""

import io

import pytest

from img.application.ports.remote_cache import RemoteBlobNotFound, RemoteCache
from img.domain.digest import Digest
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.media_types import OCI_LAYER_GZIP

CONTENT = bytes(range(256)) * 1000


def _blob(content: bytes) -> Descriptor:
    return Descriptor(media_type=OCI_LAYER_GZIP, digest=Digest.of(content), size=len(content))


class RemoteCacheContract:
    """Promises of every RemoteCache.

    Fixtures: ``cache``, which is empty.
    """

    def test_an_empty_cache_has_no_manifest(self, cache: RemoteCache) -> None:
        assert list(cache.manifests()) == []

    def test_the_manifest_published_last_is_read_first(self, cache: RemoteCache) -> None:
        cache.publish(b'{"layers":[]}')
        cache.publish(b'{"layers":[],"records":[]}')

        assert next(cache.manifests()) == b'{"layers":[],"records":[]}'

    def test_a_blob_is_there_after_its_upload(self, cache: RemoteCache) -> None:
        blob = _blob(CONTENT)
        before = cache.has(blob.digest)

        cache.add(blob, io.BytesIO(CONTENT))

        assert (before, cache.has(blob.digest)) == (False, True)
        with cache.open(blob, 0) as stream:
            assert stream.read() == CONTENT

    @pytest.mark.parametrize("start", [1, 100_000, len(CONTENT) - 1])
    def test_a_blob_is_read_from_any_byte(self, cache: RemoteCache, start: int) -> None:
        blob = _blob(CONTENT)
        cache.add(blob, io.BytesIO(CONTENT))

        with cache.open(blob, start) as stream:
            parts = iter(lambda: stream.read(1000), b"")
            assert b"".join(parts) == CONTENT[start:]

    def test_a_second_upload_changes_nothing(self, cache: RemoteCache) -> None:
        blob = _blob(CONTENT)
        assert cache.add(blob, io.BytesIO(CONTENT))
        assert cache.add(blob, io.BytesIO(CONTENT))

        with cache.open(blob, 0) as stream:
            assert stream.read() == CONTENT

    def test_a_blob_of_several_parts_is_uploaded_whole(self, cache: RemoteCache) -> None:
        content = CONTENT * 90  # 23 MB: more than one part of every protocol
        blob = _blob(content)

        cache.add(blob, io.BytesIO(content))

        with cache.open(blob, 20_000_000) as stream:
            assert stream.read() == content[20_000_000:]

    def test_a_blob_that_is_longer_than_promised_ends_after_one_more_byte(
        self, cache: RemoteCache
    ) -> None:
        blob = _blob(CONTENT)
        cache.add(blob, io.BytesIO(CONTENT))
        promised = Descriptor(media_type=blob.media_type, digest=blob.digest, size=10)

        with cache.open(promised, 0) as stream:
            assert stream.read() == CONTENT[:11]

    def test_a_blob_that_is_not_there_is_named(self, cache: RemoteCache) -> None:
        blob = _blob(b"never uploaded")

        with pytest.raises(RemoteBlobNotFound, match=str(blob.digest)), cache.open(blob, 0) as s:
            s.read()
