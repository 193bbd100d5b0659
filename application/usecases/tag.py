"""Another name for an image."""

from img.application.ports.clock import Clock
from img.application.ports.image_store import ImageStore
from img.application.ports.state_lock import StateLock
from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.reference import ImageReference


@dataclass(frozen=True, slots=True, kw_only=True)
class TagImage:
    """Lets a second name stand for what the first stands for."""

    images: ImageStore
    clock: Clock
    lock: StateLock

    def __call__(self, source: ImageReference, name: ImageReference) -> None:
        """Raises ImageNotFound, UsageError."""
        if name.digest is not None:
            raise UsageError(
                f"refusing to create a tag with a digest reference: {name}", hint="use NAME:TAG"
            )
        with self.lock.working():
            self.images.put(name, self.images.get(source).target, self.clock.now())
