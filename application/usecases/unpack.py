"""Unpacking of images into directories."""

from img.application.outputs.files import WriteFiles
from img.application.ports.state_lock import StateLock
from img.application.transfer.catalog import Catalog
from img.application.transfer.find_image import FindImage
from img.domain.dataclass import dataclass
from img.domain.filesystem.rootfs import creatable, files_in
from img.domain.image_name import ImageName
from img.domain.oci.chain import Layer
from img.domain.platform import WantedPlatform


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpackImage:
    """``img unpack``: the root file system of an image, with all owners for root."""

    find: FindImage
    catalog: Catalog
    files: WriteFiles
    lock: StateLock

    def __call__(
        self, name: ImageName, platform: WantedPlatform, directory: str, *, owners: bool
    ) -> list[str]:
        """Unpack an image; return the devices that were left out, which need ``owners``.

        ``directory`` appears when it is complete. Raises ImageNotFound, NoPlatformMatch,
        BlobNotFound, UnpackRefused, OutputNotWritten.
        """
        with self.lock.reading():
            image = self.catalog.image(self.find(name).target, platform)
            layers: tuple[Layer, ...] = image.layers
            entries = files_in(self.files.trees.of(layers))
            made, left_out = creatable(entries, owners=owners)
            with self.files.places.directory(directory) as draft:
                self.files.unpack(layers, made, draft, owners=owners)
        return left_out
