"""Images by name."""

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
    """The store has no image with that name, ID or digest."""

    def __init__(self, name: StoredName | str) -> None:
        super().__init__(
            f'getting image "{name}" from image store failed: not found',
            hint="see `img ls`, or pull or build it first",
        )
        self.name = name


class DigestNotNamed(ImgError):
    """A name has another digest than the content."""

    exit_code = 6

    def __init__(self, name: StoredName, digest: Digest) -> None:
        super().__init__(f"{name} cannot name {digest}: its own digest is another")
        self.name = name
        self.digest = digest


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImage:
    """A name and its manifest or index; the name of an image without one is its digest."""

    name: StoredName
    target: Descriptor
    created: datetime  # the time when the name was first stored, UTC
    updated: datetime  # the time of the last change of the target, UTC

    @property
    def reference(self) -> ImageReference | None:
        """The name, None if the image has none."""
        return self.name if isinstance(self.name, ImageReference) else None


def in_order(images: Iterable[StoredImage]) -> Sequence[StoredImage]:
    """Return ``images`` sorted by name; those without a name are last."""
    return sorted(images, key=lambda image: (image.reference is None, str(image.name)))


def stored_already(
    images: Iterable[StoredImage], name: StoredName, target: Descriptor
) -> StoredImage | None:
    """Return the one of ``images`` that already has the name and the target, None if none has.

    Raises DigestNotNamed if the name has another digest than ``target``.
    """
    if not may_name(name, target.digest):
        raise DigestNotNamed(name, target.digest)
    if isinstance(name, ImageReference):
        wanted = (image for image in images if image.name == name and image.target == target)
    else:
        wanted = (image for image in images if image.target.digest == target.digest)
    return next(wanted, None)


class ImageStore(Protocol):
    """Names of images and their targets; several threads and processes may use one store.

    An image without a name is stored under the digest of its target until it gets a name. The
    target of a name with a digest has that digest.
    """

    @abstractmethod
    def get(self, name: StoredName) -> StoredImage:
        """Return the image with exactly that name. Raises ImageNotFound."""

    @abstractmethod
    def put(self, name: StoredName, target: Descriptor, now: datetime) -> StoredImage:
        """Make ``target`` the target of the name. Atomic and durable; no write if it is already.

        With the digest of ``target`` as the name, store an image without a name; if the target has
        a name already, write nothing and return that image. Raises DigestNotNamed.
        """

    @abstractmethod
    def remove(self, name: StoredName) -> None:
        """Delete the name. Atomic. Raises ImageNotFound."""

    @abstractmethod
    def list(self) -> Sequence[StoredImage]:
        """Return all images, sorted by name; those without a name are last."""

    def targets(self) -> Sequence[Descriptor]:
        """Return the targets of all images, and further ones that other programs stored."""
        return [image.target for image in self.list()]
