"""Loading of images from archives."""

from collections.abc import Sequence
from typing import BinaryIO

from img.application.ports.clock import Clock
from img.application.ports.exporter import ArchivedImage
from img.application.ports.image_store import ImageStore
from img.application.ports.importer import Importer, InvalidArchive
from img.application.ports.state_lock import StateLock
from img.domain.dataclass import dataclass
from img.domain.reference import may_name


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadImage:
    """``img load``: storing of the images of an archive.

    File indexes of the layers are made when they are first needed.
    """

    images: ImageStore
    importer: Importer
    lock: StateLock
    clock: Clock

    def __call__(self, archive: BinaryIO) -> Sequence[ArchivedImage]:
        """Return the images; images without a name are stored without one.

        Attestations that refer to them are stored too.

        No name is set unless the whole archive is valid; a name with a digest must match. Raises
        InvalidArchive, BlobMismatch.
        """
        with self.lock.working():
            loaded = self.importer.read(archive)
            _check_names(loaded)
            now = self.clock.now()
            for image in loaded:
                for name in image.references or (image.target.digest,):
                    self.images.put(name, image.target, now)
        return [image for image in loaded if image.subject is None]


def _check_names(images: Sequence[ArchivedImage]) -> None:
    for image in images:
        for reference in image.references:
            if not may_name(reference, image.target.digest):
                raise InvalidArchive(
                    f"it gives the name {reference} to {image.target.digest}",
                    hint="pull the image by its digest, or save it under a tag",
                )
