"""Disk usage of the state."""

from collections.abc import Sequence

from img.application.housekeeping.inventory import Inventory
from img.domain.dataclass import dataclass
from img.domain.usage import UsageFilter, UsedItem


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskUsage:
    """``img du``."""

    inventory: Inventory

    def __call__(self, wanted: UsageFilter | None = None) -> Sequence[UsedItem]:
        """Return the items that are ``wanted``, the largest first; sizes are those on disk."""
        items = [item for item in self.inventory() if wanted is None or wanted.matches(item)]
        return sorted(items, key=lambda item: (-item.size, item.id))
