"""Giving room back."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from img.application.housekeeping.collect import Collect
from img.application.log import logger
from img.application.ports.file_digest_store import FileDigestStore
from img.application.ports.image_store import ImageNotFound, ImageStore
from img.domain.dataclass import dataclass
from img.domain.errors import ImgError
from img.domain.oci.descriptor import Descriptor
from img.domain.retention import PrunePolicy
from img.domain.usage import Kind, UsedItem

log = logger("housekeeping")

_EVERYTHING = frozenset({Kind.LAYER, Kind.SNAPSHOT, Kind.CACHE_MOUNT, Kind.LEFTOVER})
_LARGEST_SHARE = 10  # of the disk: a tenth
_LEAST, _MOST = 2 << 30, 20 << 30  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Prune:
    """Deletes what no image needs: the build cache, unpacked layers, leftovers.

    Images that have no name go as well if the policy takes them.

    Of context files it forgets what is known in directories that are gone, and with the whole
    cache all of it.
    """

    collect: Collect
    images: ImageStore
    digests: FileDigestStore
    compact: Callable[[], object]  # gives back what deleted records took

    def __call__(self, policy: PrunePolicy, *, dry_run: bool = False) -> Sequence[UsedItem]:
        """Return what was deleted, or would be. What builds that run may use stays."""
        nameless = self._nameless() if policy.takes_images else []
        if not dry_run:
            for target in nameless:
                with suppress(ImageNotFound):  # it may have got a name by now
                    self.images.remove(target.digest)
            removed = self.collect.prune(policy, former=nameless)
            self.digests.forget(everything=policy.whole_cache)
            self.compact()
            return removed
        inventory = self.collect.inventory
        without = [target.digest for target in nameless]
        items = inventory(measured=False, without=without, former=nameless)
        return policy.chosen(items, inventory.space.free())

    def _nameless(self) -> list[Descriptor]:
        return [image.target for image in self.images.list() if image.reference is None]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepTidy:
    """Keeps what no image needs below ``cap`` bytes; cheap where it is below.

    None is a tenth of the disk, but 2 GiB at least and 20 GiB at most; 0 is no cap. Where nothing
    has ``grown`` it is still below, or was made so by what let it grow: that is not looked at.
    """

    collect: Collect
    cap: int | None = None

    def __call__(self, *, grown: bool = True) -> None:
        """Collect if there is need to and nobody else does. Never raises."""
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
