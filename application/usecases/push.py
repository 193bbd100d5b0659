"""Pushing of images."""

from collections.abc import Sequence

from img.application.ports.state_lock import StateLock
from img.application.transfer.companions import StoredCompanions
from img.application.transfer.find_image import FindImage
from img.application.transfer.keep_companions import KeepCompanions
from img.application.transfer.publish import Published, PublishImage
from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.image_name import ImageName
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference


class NoNameToPush(UsageError):
    """The image was given by an ID and has no name, or several, to push it under."""

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
    """``img push``: pushing of stored images under their names."""

    find: FindImage
    publish: PublishImage
    companions: StoredCompanions
    keep: KeepCompanions
    lock: StateLock

    def __call__(self, *names: ImageName, nondistributable: bool = False) -> Sequence[Published]:
        """Push the images and return the results by name; push nothing if one is missing.

        Signatures and other artifacts that refer to an image follow it.

        An ID is replaced by the single name of the image. Layers that must not be distributed are
        pushed only with ``nondistributable``.
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
            for target, tags in together.items():
                self._publish_companions(published[target].target, tags)
            return [published[target] for target, _ in wanted]

    def _publish_companions(self, target: Descriptor, names: Sequence[ImageReference]) -> None:
        repositories = {name.repository: name for name in names}
        for repository in repositories.values():
            self.keep.in_registry(self.companions(target, repository), repository)

    def _wanted(self, name: ImageName) -> tuple[Descriptor, ImageReference]:
        """Return an image, and the name to push it under."""
        found = self.find(name)
        if reference := found.reference_for(name):
            return found.target, reference
        if len(found.references) != 1:
            raise NoNameToPush(name.text, found.references)
        return found.target, found.references[0]
