"""Runs PullBase: an image's layers, here."""

from img.application.planning.resolve import ResolvedBase
from img.application.ports.blob_store import BlobStore
from img.application.ports.clock import Clock
from img.application.ports.image_store import ImageStore
from img.application.transfer import Report, Transfer
from img.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PullLayers:
    """Fetches what is missing of a base image, and gives it its name when it is whole."""

    blobs: BlobStore
    images: ImageStore
    transfer: Transfer
    clock: Clock

    def is_here(self, base: ResolvedBase) -> bool:
        """Tell whether all layers are in the store, and the name is known."""
        return base.named and all(
            self.blobs.size(layer.descriptor.digest) == layer.descriptor.size
            for layer in base.image.layers
        )

    def __call__(self, base: ResolvedBase, report: Report) -> None:
        """Fetch the missing layers. Raises RegistryError, BlobMismatch, InvalidLayer."""
        assert base.reference is not None
        self.transfer.pull_layers(base.reference, base.image.layers, report)
        if not base.named:
            self.images.put(base.reference, base.target, self.clock.now())
