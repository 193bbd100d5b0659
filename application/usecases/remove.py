"""Forgetting an image, and what only it needed."""

from collections.abc import Sequence

from img.application.housekeeping.collect import Collect
from img.application.ports.image_store import ImageStore
from img.application.transfer.find_image import FindImage, FoundImage
from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.image_name import ImageName
from img.domain.reference import ImageReference, StoredName
from img.domain.retention import live_in


class PartOfAnImage(UsageError):
    """A manifest that is here as a part of an index, and goes with it only."""

    def __init__(self, text: str, image: StoredName) -> None:
        super().__init__(f'"{text}" is one platform of the image {image}', hint="remove that")
        self.text = text
        self.image = image


class SeveralRepositories(UsageError):
    """An ID of an image that has names in more than one repository."""

    def __init__(self, text: str, names: Sequence[ImageReference]) -> None:
        shown = ", ".join(name.familiar for name in names)
        super().__init__(
            f'unable to remove "{text}": it has names in several repositories: {shown}',
            hint="remove it by name, or all of the names with --force",
        )
        self.text = text
        self.names = tuple(names)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveImage:
    """Removes a name, or by an ID all names, then collects what nothing refers to any more."""

    images: ImageStore
    find: FindImage
    collect: Collect

    def __call__(self, name: ImageName, *, force: bool = False) -> None:
        """Unless by ``force``, an ID removes only an image with names in one repository, as Docker.

        Raises ImageNotFound, AmbiguousImage, PartOfAnImage, SeveralRepositories. What builds that
        run may have found goes when they have ended.
        """
        found = self.find(name)
        if not force:
            _check_repositories(name, found)
        if found.part_of:
            raise PartOfAnImage(name.text, found.part_of.name)
        targets = [image.target for image in found.stored]
        freed = live_in(images=targets, layers=[], read=self.collect.inventory.read)
        for image in found.stored:
            self.images.remove(image.name)
        self.collect.after_removal(freed)


def _check_repositories(name: ImageName, found: FoundImage) -> None:
    if len({reference.repository for reference in found.references}) > 1:
        raise SeveralRepositories(name.text, found.references)
