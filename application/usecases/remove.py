"""Removal of images."""

from collections.abc import Sequence

from img.application.housekeeping.collect import Collect
from img.application.ports.image_store import ImageStore
from img.application.transfer.find_image import FindImage, FoundImage
from img.application.transfer.stored_referrers import StoredReferrers
from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.image_name import ImageName
from img.domain.reference import ImageReference, StoredName
from img.domain.retention import live_in


class PartOfAnImage(UsageError):
    """A manifest is part of a stored index and is removed only with it."""

    def __init__(self, text: str, image: StoredName) -> None:
        super().__init__(f'"{text}" is one platform of the image {image}', hint="remove that")
        self.text = text
        self.image = image


class SeveralRepositories(UsageError):
    """The image was given by an ID and has names in several repositories."""

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
    """``img rm``: removal of a name, or by an ID of all names, and of unreferenced blobs."""

    images: ImageStore
    find: FindImage
    referrers: StoredReferrers
    collect: Collect

    def __call__(self, name: ImageName, *, force: bool = False) -> None:
        """Remove a name, or all names of an ID; those in several repositories only by ``force``.

        Everything a running build may use is kept until that build ends. Raises ImageNotFound,
        AmbiguousImage, PartOfAnImage, SeveralRepositories.
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
        self.referrers.drop_orphans()
        self.collect.after_removal(freed)


def _check_repositories(name: ImageName, found: FoundImage) -> None:
    if len({reference.repository for reference in found.references}) > 1:
        raise SeveralRepositories(name.text, found.references)
