"""Pruning of the state."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from img.application.housekeeping.collect import Collect
from img.application.log import logger
from img.application.ports.file_digest_store import FileDigestStore
from img.application.ports.image_store import ImageNotFound, ImageStore
from img.domain.dataclass import dataclass
from img.domain.errors import ImgError
from img.domain.oci.descriptor import Descriptor
from img.domain.retention import PrunePolicy
from img.domain.usage import Kind, UsedItem

if TYPE_CHECKING:  # few stores have any
    from img.application.transfer.stored_referrers import StoredReferrers

log = logger("housekeeping")

_EVERYTHING = frozenset({Kind.LAYER, Kind.SNAPSHOT, Kind.CACHE_MOUNT, Kind.LEFTOVER})
_LARGEST_SHARE = 10  # of the disk: the cap is a tenth
_LEAST, _MOST = 2 << 30, 20 << 30  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Prune:
    """``img prune``: deletion of the build cache, unpacked layers and leftovers.

    Images without a name are deleted as well if the policy includes them. Known digests of context
    files are deleted for directories that do not exist any more, and all of them with the whole
    cache.
    """

    collect: Collect
    images: ImageStore
    referrers: "StoredReferrers"
    digests: FileDigestStore
    compact: Callable[[], object]  # compacts the database

    def __call__(self, policy: PrunePolicy, *, dry_run: bool = False) -> Sequence[UsedItem]:
        """Return the deleted items, or those to delete. Items of running builds stay."""
        nameless = self._nameless() if policy.takes_images else []
        if not dry_run:
            for target in nameless:
                with suppress(ImageNotFound):  # it may have got a name meanwhile
                    self.images.remove(target.digest)
            self.referrers.drop_orphans()
            removed = self.collect.prune(policy, former=nameless)
            self.digests.forget(everything=policy.whole_cache)
            self.compact()
            return removed
        inventory = self.collect.inventory
        without = [target.digest for target in nameless]
        items = inventory(measured=False, without=without, former=nameless)
        return policy.chosen(items, inventory.space.free())

    def _nameless(self) -> list[Descriptor]:
        artifacts = self.referrers.digests()
        return [
            image.target
            for image in self.images.list()
            if image.reference is None and image.target.digest not in artifacts
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepTidy:
    """Prunes the build cache if it is larger than ``cap`` bytes.

    None is a tenth of the disk, but at least 2 GiB and at most 20 GiB; 0 is no cap. If nothing has
    ``grown``, the size is not measured.
    """

    collect: Collect
    cap: int | None = None

    def __call__(self, *, grown: bool = True) -> None:
        """Prune if necessary and no other process does. Raises nothing."""
        try:
            self._remove_leftovers()
            if grown:
                self._shrink()
        except (ImgError, OSError) as error:
            log.info("not collected", reason=str(error))

    def _remove_leftovers(self) -> None:
        self.collect.resume()
        inventory = self.collect.inventory
        for leftover in inventory.space.leftovers(before=inventory.lock.oldest()):
            if not leftover.resumable:
                inventory.space.remove(leftover)

    def _shrink(self) -> None:
        cap = self._cap() if self.cap is None else self.cap
        if cap and self.collect.inventory.estimate() > cap:
            policy = PrunePolicy(kinds=_EVERYTHING, max_used=cap)
            removed = self.collect.prune(policy, wait=False)
            log.info("collected", items=len(removed), cap=cap)

    def _cap(self) -> int:
        share = self.collect.inventory.space.capacity() // _LARGEST_SHARE
        return max(_LEAST, min(share, _MOST))
