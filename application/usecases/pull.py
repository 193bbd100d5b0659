"""Pulling of images."""

from img.application.ports.clock import Clock
from img.application.ports.image_store import ImageStore
from img.application.ports.progress_sink import ProgressSink
from img.application.ports.registry import Registry
from img.application.ports.state_lock import StateLock
from img.application.transfer.blobs import Transfer
from img.application.transfer.catalog import Image
from img.application.transfer.pull_documents import fetch_image, reporting
from img.domain.dataclass import dataclass
from img.domain.platform import Platform
from img.domain.reference import ImageReference


@dataclass(frozen=True, slots=True, kw_only=True)
class PullImage:
    """``img pull``: storing of an image of a registry under its name."""

    images: ImageStore
    registry: Registry
    transfer: Transfer
    clock: Clock
    progress: ProgressSink
    lock: StateLock

    def __call__(self, reference: ImageReference, platform: Platform) -> Image:
        """Return the image for ``platform`` after storing it; fetch no other platforms.

        Raises ManifestUnknown, Unauthorized, RegistryError, BlobMismatch, NoPlatformMatch.
        """
        with self.lock.working():
            fetched = fetch_image(self.registry, self.transfer, reference, platform)
            with reporting(self.progress, f"pull {reference.familiar}", reference) as report:
                self.transfer.pull_layers(reference, fetched.image.layers, report)
            self.images.put(reference, fetched.target, self.clock.now())
        return fetched.image
