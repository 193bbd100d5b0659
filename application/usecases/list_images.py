"""The images that are here."""

from collections.abc import Sequence

from img.application.catalog import Catalog
from img.application.ports.image_store import ImageStore, StoredImage
from img.domain.dataclass import dataclass
from img.domain.errors import ImgError
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor
from img.domain.platform import Platform


@dataclass(frozen=True, slots=True)
class ListedImage:
    """An image and its size in bytes as stored; None where its documents are damaged."""

    image: StoredImage
    size: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListImages:
    """Lists names, by a part of the name if one is given."""

    images: ImageStore
    catalog: Catalog

    def __call__(self, platform: Platform, containing: str = "") -> Sequence[ListedImage]:
        """Return the images whose full name contains ``containing``, sorted by name."""
        return [
            ListedImage(image, self._size(image, platform))
            for image in self.images.list()
            if containing in str(image.name)
        ]

    def _size(self, image: StoredImage, platform: Platform) -> int | None:
        try:
            manifests = self.catalog.manifests(image.target)
            return sum(self._size_of(each, platform) for each in manifests) if manifests else None
        except ImgError:
            return None

    def _size_of(self, target: Descriptor, platform: Platform) -> int:
        manifest = self.catalog.manifest(target)
        if manifest.config.media_type in media_types.CONFIGS:
            return self.catalog.image(target, platform).size
        return target.size + sum(blob.size for blob in manifest.blobs)
