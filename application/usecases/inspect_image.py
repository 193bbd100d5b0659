"""What an image says of itself."""

from img.application.catalog import Catalog
from img.application.ports.image_store import ImageStore
from img.domain.dataclass import dataclass
from img.domain.platform import Platform
from img.domain.reference import ImageReference


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectImage:
    """Reads an image's configuration."""

    images: ImageStore
    catalog: Catalog

    def __call__(self, reference: ImageReference, platform: Platform) -> bytes:
        """Return the configuration as it is stored: JSON (image-spec config.md).

        Raises ImageNotFound, BlobNotFound, NoPlatformMatch.
        """
        image = self.catalog.image(self.images.get(reference).target, platform)
        return self.catalog.read(image.manifest.config)
