"""Names in a dict."""

from collections.abc import Sequence
from datetime import datetime

from img.application.ports.image_store import (
    ImageNotFound,
    ImageStore,
    StoredImage,
    in_order,
    stored_already,
)
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import StoredName


class MemoryImageStore(ImageStore):
    """Names that are lost with the process."""

    def __init__(self) -> None:
        self._images: dict[StoredName, StoredImage] = {}

    def get(self, name: StoredName) -> StoredImage:
        try:
            return self._images[name]
        except KeyError:
            raise ImageNotFound(name) from None

    def put(self, name: StoredName, target: Descriptor, now: datetime) -> StoredImage:
        if image := stored_already(self.list(), name, target):
            return image
        self._images.pop(target.digest, None)
        known = self._images.get(name)
        image = StoredImage(
            name=name, target=target, created=known.created if known else now, updated=now
        )
        self._images[name] = image
        return image

    def remove(self, name: StoredName) -> None:
        if self._images.pop(name, None) is None:
            raise ImageNotFound(name)

    def list(self) -> Sequence[StoredImage]:
        return in_order(self._images.values())
