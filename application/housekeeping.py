"""Collecting what nobody refers to."""

from collections.abc import Sequence
from dataclasses import replace

from img.application.log import logger
from img.application.ports.blob_store import BlobNotFound, BlobStore
from img.application.ports.cache_store import CacheStore
from img.application.ports.image_store import ImageStore
from img.application.ports.index_store import IndexStore
from img.application.ports.snapshotter import Snapshotter
from img.application.ports.state_lock import StateLock
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.oci.chain import ChainID
from img.domain.retention import Garbage, Stored, garbage_in

log = logger("housekeeping")


@dataclass(frozen=True, slots=True, kw_only=True)
class Collect:
    """Deletes blobs, indexes and snapshots that no image and no cache record leads to."""

    images: ImageStore
    blobs: BlobStore
    cache: CacheStore
    indexes: IndexStore
    snapshotter: Snapshotter
    lock: StateLock

    def __call__(self, *, forget_cache: bool = False) -> Garbage | None:
        """Return what was deleted, None if others are working and nothing could be.

        With ``forget_cache`` the cache records go first, and so what only they keep; so do all
        snapshots, which can always be unpacked again, and parts of blobs that never came whole.
        """
        with self.lock.collecting() as alone:
            if not alone:
                log.info("not collecting while others work")
                return None
            if forget_cache:
                self.cache.remove([key for key, _ in self.cache.records()])
                self.blobs.forget_incoming()
            garbage = self.garbage()
            if forget_cache:
                garbage = replace(garbage, snapshots=frozenset(self._snapshots()))
            for chain_id in garbage.snapshots:
                self.snapshotter.remove(chain_id)
            for diff_id in garbage.indexes:
                self.indexes.remove(diff_id)
            for digest in garbage.blobs:
                self.blobs.remove(digest)
            return garbage

    def garbage(self, *, with_cache: bool = False) -> Garbage:
        """Return what nothing leads to; ``with_cache`` counts what only the cache leads to."""
        records = [] if with_cache else list(self.cache.records())
        return garbage_in(
            Stored(
                blobs=frozenset(self.blobs.digests()),
                indexes=frozenset(self.indexes.diff_ids()),
                snapshots=frozenset(self._snapshots()),
            ),
            images=[image.target for image in self.images.list()],
            layers=[record.layer for _, record in records if record.layer is not None],
            read=self._read,
        )

    def _snapshots(self) -> Sequence[ChainID]:
        return self.snapshotter.chain_ids()

    def _read(self, digest: Digest) -> bytes | None:
        try:
            with self.blobs.open(digest) as content:
                return content.read()
        except BlobNotFound:
            return None
