"""Sending an image to its registry."""

from collections.abc import Sequence

from img.application.ports.state_lock import StateLock
from img.application.transfer.find_image import FindImage
from img.application.transfer.publish import Published, PublishImage
from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.image_name import ImageName
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference


class NoNameToPush(UsageError):
    """An ID, which does not say under which name the image is to be pushed."""

    def __init__(self, text: str, names: Sequence[ImageReference]) -> None:
        several = ", ".join(name.familiar for name in names)
        super().__init__(
            f'the image "{text}" has ' + (f"several names: {several}" if names else "no name"),
            hint="push one of the names" if names else "give it a name with `img tag`",
        )
        self.text = text
        self.names = tuple(names)


@dataclass(frozen=True, slots=True, kw_only=True)
class PushImage:
    """Lets registries have images under the names that they have here."""

    find: FindImage
    publish: PublishImage
    lock: StateLock

    def __call__(self, *names: ImageName, nondistributable: bool = False) -> Sequence[Published]:
        """Return what the registries have now, for each name; nothing is sent unless all are here.

        An ID stands for the one name that the image has. Layers that may not be distributed are
        sent only if ``nondistributable``.
        Raises ImageNotFound, NoNameToPush, PlatformsAbsent, BlobNotFound, Unauthorized,
        RegistryError.
        """
        with self.lock.reading():
            wanted = [self._wanted(name) for name in names]
            together: dict[Descriptor, list[ImageReference]] = {}
            for target, reference in wanted:
                together.setdefault(target, []).append(reference)
            published = {
                target: self.publish(target, *tags, nondistributable=nondistributable)
                for target, tags in together.items()
            }
            return [published[target] for target, _ in wanted]

    def _wanted(self, name: ImageName) -> tuple[Descriptor, ImageReference]:
        """Return an image, and the name to push it under."""
        found = self.find(name)
        if reference := found.reference_for(name):
            return found.target, reference
        if len(found.references) != 1:
            raise NoNameToPush(name.text, found.references)
        return found.target, found.references[0]
