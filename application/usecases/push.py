"""Sending an image to its registry."""

from img.application.ports.image_store import ImageStore
from img.application.ports.state_lock import StateLock
from img.application.publish import PublishImage
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.reference import ImageReference


@dataclass(frozen=True, slots=True, kw_only=True)
class PushImage:
    """Lets a registry have an image under the name that it has here."""

    images: ImageStore
    publish: PublishImage
    lock: StateLock

    def __call__(self, reference: ImageReference) -> Digest:
        """Return the digest under which the registry has it.

        Raises ImageNotFound, BlobNotFound, Unauthorized, RegistryError.
        """
        with self.lock.working():
            return self.publish(self.images.get(reference).target, reference)
