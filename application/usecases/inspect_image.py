"""Details and history of images."""

from collections.abc import Sequence

from img.application.layers.trees import Trees
from img.application.transfer.catalog import Catalog, Image
from img.application.transfer.find_image import FindImage, FoundImage
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.go.template.values import Value
from img.domain.image_name import ImageName
from img.domain.image_view import HistoryStep, history_of, inspected
from img.domain.oci.chain import Layer
from img.domain.platform import WantedPlatform
from img.domain.reference import ImageReference


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectImage:
    """``img inspect``. All methods raise ImageNotFound, BlobNotFound, NoPlatformMatch …"""

    find: FindImage
    catalog: Catalog

    def __call__(self, name: ImageName, platform: WantedPlatform) -> Value:
        """Return the document of ``docker inspect`` for ``platform``."""
        found = self.find(name)
        image = self.catalog.image(found.target, platform)
        return inspected(
            id_=self.find.id_of(found.target),
            target=found.target,
            config=image.config,
            names=self._names(found),
            size=image.size,
            named=max((each.updated for each in found.stored if each.reference), default=None),
        )

    def config(self, name: ImageName, platform: WantedPlatform) -> bytes:
        """Return the configuration as it is stored: JSON (image-spec config.md)."""
        image = self.catalog.image(self.find(name).target, platform)
        return self.catalog.read(image.manifest.config)

    def _names(self, found: FoundImage) -> Sequence[ImageReference]:
        """Return all names of the image."""
        return [
            image.reference
            for image in self.find.images.list()
            if image.reference and image.target.digest == found.target.digest
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageHistory:
    """``img history``."""

    find: FindImage
    catalog: Catalog
    trees: Trees

    def __call__(
        self, name: ImageName, platform: WantedPlatform
    ) -> tuple[Digest, Sequence[HistoryStep]]:
        """Return the ID of the image, and its steps, the last one first.

        Raises ImageNotFound, BlobNotFound, NoPlatformMatch, InvalidLayer …
        """
        target = self.find(name).target
        image: Image = self.catalog.image(target, platform)
        sizes = [self._size(layer) for layer in image.layers]
        return self.find.id_of(target), history_of(image.config, sizes)

    def _size(self, layer: Layer) -> int:
        """Return the size of the files of a layer in bytes."""
        return sum(entry.size for entry in self.trees.index_of(layer))
