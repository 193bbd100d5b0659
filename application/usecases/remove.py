"""Forgetting an image, and what only it needed."""

from img.application.housekeeping import Collect
from img.application.ports.image_store import ImageStore
from img.domain.dataclass import dataclass
from img.domain.reference import ImageReference
from img.domain.retention import live_in


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveImage:
    """Removes a name, then collects what nothing refers to any more."""

    images: ImageStore
    collect: Collect

    def __call__(self, reference: ImageReference) -> None:
        """Raises ImageNotFound. What builds that run may have found goes when they have ended."""
        target = self.images.get(reference).target
        freed = live_in(images=[target], layers=[], read=self.collect.inventory.read)
        self.images.remove(reference)
        self.collect.unneeded(freed)
