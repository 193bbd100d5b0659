"""Sending an image to its registry."""

from collections.abc import Sequence

from img.application.ports.image_store import ImageStore
from img.application.ports.state_lock import StateLock
from img.application.publish import PublishImage
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference


@dataclass(frozen=True, slots=True, kw_only=True)
class PushImage:
    """Lets registries have images under the names that they have here."""

    images: ImageStore
    publish: PublishImage
    lock: StateLock

    def __call__(self, *names: ImageReference, nondistributable: bool = False) -> Sequence[Digest]:
        """Return the digests under which the registries have them; nothing is sent unless all are.

        Layers that may not be distributed are sent only if ``nondistributable``.
        Raises ImageNotFound, BlobNotFound, Unauthorized, RegistryError.
        """
        with self.lock.reading():
            targets = [self.images.get(name).target for name in names]
            together: dict[Descriptor, list[ImageReference]] = {}
            for name, target in zip(names, targets, strict=True):
                together.setdefault(target, []).append(name)
            for target, tags in together.items():
                self.publish(target, *tags, nondistributable=nondistributable)
            return [target.digest for target in targets]
