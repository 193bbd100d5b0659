"""Shared blobs in a bucket, where caches of ``type=s3`` have theirs."""

import io
from typing import BinaryIO, cast

from img.adapters.shared_blobs.checking_stream import CheckingStream
from img.application.ports.remote_cache import RemoteCache
from img.application.ports.shared_blobs import SharedBlobs
from img.domain.digest import Digest
from img.domain.oci.descriptor import Descriptor
from img.domain.options.cluster_store import BucketStore


class BucketSharedBlobs(SharedBlobs):
    """The blobs of a remote cache; its manifests are neither read nor written."""

    def __init__(self, place: BucketStore, cache: RemoteCache) -> None:
        self._place = place
        self._cache = cache

    @property
    def name(self) -> str:
        return str(self._place)

    @property
    def repository(self) -> str:
        return ""

    def has(self, digest: Digest) -> bool:
        return self._cache.has(digest)

    def add(self, blob: Descriptor, content: BinaryIO) -> None:
        if not self._cache.keep(blob.digest):
            checked = io.BufferedReader(CheckingStream(blob, content))
            self._cache.add(blob, cast(BinaryIO, checked))

    def open(self, blob: Descriptor, start: int) -> BinaryIO:
        return self._cache.open(blob, start)
