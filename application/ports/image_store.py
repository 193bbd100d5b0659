"""Names of images."""

from abc import abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from img.domain.dataclass import dataclass
from img.domain.errors import NotFoundError
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference


class ImageNotFound(NotFoundError):
    """No image of that name is stored here."""

    def __init__(self, reference: ImageReference) -> None:
        super().__init__(
            f'getting image "{reference}" from image store failed: not found',
            hint="see `img ls`, or pull or build it first",
        )
        self.reference = reference


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImage:
    """A name, and the manifest or index it stands for."""

    reference: ImageReference
    target: Descriptor
    created: datetime  # when the name was first stored here, UTC
    updated: datetime  # when it last came to stand for something else, UTC


class ImageStore(Protocol):
    """Names of images and what they stand for; safe for several processes."""

    @abstractmethod
    def get(self, reference: ImageReference) -> StoredImage:
        """Return the image of exactly that name. Raises ImageNotFound."""

    @abstractmethod
    def put(self, reference: ImageReference, target: Descriptor, now: datetime) -> StoredImage:
        """Let the name stand for ``target``. Atomic; putting the same again writes nothing."""

    @abstractmethod
    def remove(self, reference: ImageReference) -> None:
        """Forget the name. Raises ImageNotFound."""

    @abstractmethod
    def list(self) -> Sequence[StoredImage]:
        """Return all images, sorted by name."""

    def targets(self) -> Sequence[Descriptor]:
        """Return all that the store leads to: the images, and what others have put beside them."""
        return [image.target for image in self.list()]
