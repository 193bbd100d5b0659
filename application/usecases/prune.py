"""Giving room back."""

from collections.abc import Sequence

from img.application.housekeeping import Collect
from img.application.usecases.disk_usage import DiskUsage, UsedItem
from img.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Prune:
    """Deletes all that no image needs: the build cache, unpacked layers, leftovers."""

    collect: Collect
    disk_usage: DiskUsage

    def __call__(self) -> Sequence[UsedItem]:
        """Return what was deleted; nothing while others are working."""
        before = [item for item in self.disk_usage() if item.reclaimable]
        if self.collect(forget_cache=True) is None:
            return []
        left = {item.id for item in self.disk_usage()}
        return [item for item in before if item.id not in left]
