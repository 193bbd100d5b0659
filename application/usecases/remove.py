"""Forgetting an image, and what only it needed."""

from img.application.housekeeping import Collect
from img.application.ports.image_store import ImageStore
from img.domain.dataclass import dataclass
from img.domain.reference import ImageReference


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveImage:
    """Removes a name, then collects what nothing refers to any more."""

    images: ImageStore
    collect: Collect

    def __call__(self, reference: ImageReference) -> None:
        """Raises ImageNotFound. While others build, what is freed waits for the next removal."""
        self.images.remove(reference)
        self.collect()
