"""Names in a dict."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from img.application.ports.image_store import ImageNotFound, ImageStore, StoredImage
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference


class MemoryImageStore(ImageStore):
    """Names that are gone with the process."""

    def __init__(self) -> None:
        self._images: dict[ImageReference, StoredImage] = {}

    def get(self, reference: ImageReference) -> StoredImage:
        try:
            return self._images[reference]
        except KeyError:
            raise ImageNotFound(reference) from None

    def put(self, reference: ImageReference, target: Descriptor, now: datetime) -> StoredImage:
        known = self._images.get(reference)
        if known is None:
            known = StoredImage(reference=reference, target=target, created=now, updated=now)
        elif known.target != target:
            known = replace(known, target=target, updated=now)
        self._images[reference] = known
        return known

    def remove(self, reference: ImageReference) -> None:
        if self._images.pop(reference, None) is None:
            raise ImageNotFound(reference)

    def list(self) -> Sequence[StoredImage]:
        return sorted(self._images.values(), key=lambda image: str(image.reference))
