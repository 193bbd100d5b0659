"""Images out of an archive."""

from collections.abc import Sequence
from typing import BinaryIO

from img.application.ports.clock import Clock
from img.application.ports.exporter import ArchivedImage
from img.application.ports.image_store import ImageStore
from img.application.ports.importer import Importer
from img.application.ports.state_lock import StateLock
from img.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadImage:
    """Stores the images of an archive under their names.

    File indexes of the layers are made when somebody needs them first.
    """

    images: ImageStore
    importer: Importer
    lock: StateLock
    clock: Clock

    def __call__(self, archive: BinaryIO) -> Sequence[ArchivedImage]:
        """Return the images; one without a name is kept without one.

        No name is set unless all of the archive is good. Raises InvalidArchive, BlobMismatch.
        """
        with self.lock.working():
            loaded = self.importer.read(archive)
            now = self.clock.now()
            for image in loaded:
                for name in image.references or (image.target.digest,):
                    self.images.put(name, image.target, now)
        return loaded
