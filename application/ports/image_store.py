"""Images, by their names."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import ImgError, NotFoundError
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference, StoredName, may_name


class ImageNotFound(NotFoundError):
    """No image of that name, ID or digest is stored here."""

    def __init__(self, name: StoredName | str) -> None:
        super().__init__(
            f'getting image "{name}" from image store failed: not found',
            hint="see `img ls`, or pull or build it first",
        )
        self.name = name


class DigestNotNamed(ImgError):
    """A name with a digest, and content that has another."""

    exit_code = 6

    def __init__(self, name: StoredName, digest: Digest) -> None:
        super().__init__(f"{name} cannot name {digest}: its own digest is another")
        self.name = name
        self.digest = digest


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
    """Return the one of ``images`` for which to put ``name`` would write nothing, if any.

    Raises DigestNotNamed where the name has another digest than ``target``.
    """
    if not may_name(name, target.digest):
        raise DigestNotNamed(name, target.digest)
    if isinstance(name, ImageReference):
        wanted = (image for image in images if image.name == name and image.target == target)
    else:
        wanted = (image for image in images if image.target.digest == target.digest)
    return next(wanted, None)


class ImageStore(Protocol):
    """Names of images and what they stand for; safe for several processes.

    An image that has no name is known by the digest of its target, until a name is put for it.
    A name with a digest stands for what has that digest, or for nothing.
    """

    @abstractmethod
    def get(self, name: StoredName) -> StoredImage:
        """Return the image of exactly that name. Raises ImageNotFound."""

    @abstractmethod
    def put(self, name: StoredName, target: Descriptor, now: datetime) -> StoredImage:
        """Let the name stand for ``target``. Atomic; putting the same again writes nothing.

        With the digest of ``target`` as its name it is kept without one, unless it has a name:
        then nothing is written, and one of those images is returned. Raises DigestNotNamed.
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
