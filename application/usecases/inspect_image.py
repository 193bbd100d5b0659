"""What an image says of itself."""

from img.application.catalog import Catalog
from img.application.find_image import FindImage
from img.domain.dataclass import dataclass
from img.domain.image_name import ImageName
from img.domain.platform import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectImage:
    """Reads an image's configuration."""

    find: FindImage
    catalog: Catalog

    def __call__(self, name: ImageName, platform: Platform) -> bytes:
        """Return the configuration as it is stored: JSON (image-spec config.md).

        Raises ImageNotFound, BlobNotFound, NoPlatformMatch.
        """
        image = self.catalog.image(self.find(name).target, platform)
        return self.catalog.read(image.manifest.config)
