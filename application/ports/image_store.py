"""Images, by their names."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from img.domain.dataclass import dataclass
from img.domain.errors import NotFoundError
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference, StoredName


class ImageNotFound(NotFoundError):
    """No image of that name, ID or digest is stored here."""

    def __init__(self, name: StoredName | str) -> None:
        super().__init__(
            f'getting image "{name}" from image store failed: not found',
            hint="see `img ls`, or pull or build it first",
        )
        self.name = name


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImage:
    """A name, and the manifest or index it stands for; an image without a name has its digest."""

    name: StoredName
    target: Descriptor
    created: datetime  # when the name was first stored here, UTC
    updated: datetime  # when it last came to stand for something else, UTC

    @property
    def reference(self) -> ImageReference | None:
        """The name, None where the image has none."""
        return self.name if isinstance(self.name, ImageReference) else None


def in_order(images: Iterable[StoredImage]) -> Sequence[StoredImage]:
    """Return ``images`` sorted by name; those without a name are last."""
    return sorted(images, key=lambda image: (image.reference is None, str(image.name)))


def stored_already(
    images: Iterable[StoredImage], name: StoredName, target: Descriptor
) -> StoredImage | None:
    """Return the one of ``images`` for which to put ``name`` would write nothing, if any."""
    if isinstance(name, ImageReference):
        wanted = (image for image in images if image.name == name and image.target == target)
    else:
        wanted = (image for image in images if image.target.digest == target.digest)
    return next(wanted, None)


class ImageStore(Protocol):
    """Names of images and what they stand for; safe for several processes.

    An image that has no name is known by the digest of its target, until a name is put for it.
    """

    @abstractmethod
    def get(self, name: StoredName) -> StoredImage:
        """Return the image of exactly that name. Raises ImageNotFound."""

    @abstractmethod
    def put(self, name: StoredName, target: Descriptor, now: datetime) -> StoredImage:
        """Let the name stand for ``target``. Atomic; putting the same again writes nothing.

        With the digest of ``target`` as its name it is kept without one, unless it has a name:
        then nothing is written, and one of those images is returned.
        """

    @abstractmethod
    def remove(self, name: StoredName) -> None:
        """Forget the name. Raises ImageNotFound."""

    @abstractmethod
    def list(self) -> Sequence[StoredImage]:
        """Return all images, sorted by name; those without a name are last."""

    def targets(self) -> Sequence[Descriptor]:
        """Return all that the store leads to: the images, and what others have put beside them."""
        return [image.target for image in self.list()]
