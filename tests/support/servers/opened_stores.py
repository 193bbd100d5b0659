"""Clients of caches in object stores, for tests."""

from img.adapters.remote_cache.object_store import ObjectStoreRemoteCache
from img.domain.digest import Digest
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.media_types import OCI_LAYER_GZIP
from img.domain.options.cache import parse_cache_source
from img.domain.options.remote_cache import ObjectStoreCache

CONTENT = b"layer" * 20_000
BLOB = Descriptor(media_type=OCI_LAYER_GZIP, digest=Digest.of(CONTENT), size=len(CONTENT))


def place_of(text: str) -> ObjectStoreCache:
    place = parse_cache_source(text)
    assert isinstance(place, ObjectStoreCache)
    return place


def opened(place: ObjectStoreCache) -> ObjectStoreRemoteCache:
    return ObjectStoreRemoteCache(place, {}, sleep=lambda _: None)
