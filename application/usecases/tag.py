"""Tagging of images."""

from img.application.ports.clock import Clock
from img.application.ports.image_store import ImageStore
from img.application.ports.state_lock import StateLock
from img.application.transfer.find_image import FindImage
from img.domain.dataclass import dataclass
from img.domain.digest import DIGITS
from img.domain.errors import UsageError
from img.domain.image_name import ImageName
from img.domain.reference import ImageReference


@dataclass(frozen=True, slots=True, kw_only=True)
class TagImage:
    """``img tag``: a further name for an image."""

    images: ImageStore
    find: FindImage
    clock: Clock
    lock: StateLock

    def __call__(self, source: ImageName, name: ImageReference) -> None:
        """Add a name to an image. Raises ImageNotFound, UsageError."""
        if name.familiar_name in DIGITS:
            raise UsageError(
                f"refusing to create an ambiguous tag using digest algorithm as name: {name}",
                hint="use another name: this one is how IDs begin",
            )
        if name.digest is not None:
            raise UsageError(
                f"refusing to create a tag with a digest reference: {name}", hint="use NAME:TAG"
            )
        with self.lock.working():
            self.images.put(name, self.find(source).target, self.clock.now())
