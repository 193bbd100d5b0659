"""Runs PullBase: an image's layers, here."""

from collections.abc import Iterable

from img.application.layers.on_demand import Layers
from img.application.planning.resolve import ResolvedBase
from img.application.ports.clock import Clock
from img.application.ports.image_store import ImageStore
from img.application.transfer.blobs import Transfer
from img.application.transfer.download import Report
from img.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PullLayers:
    """Fetches what is missing of a base image, and gives it its name when it is whole."""

    layers: Layers
    images: ImageStore
    transfer: Transfer
    clock: Clock

    def is_here(self, base: ResolvedBase) -> bool:
        """Tell whether all layers are in the store, and the name is known."""
        return base.named and self.layers.are_here(base.image.layers)

    def __call__(self, base: ResolvedBase, report: Report) -> None:
        """Fetch the missing layers. Raises RegistryError, BlobNotFound, InvalidLayer …"""
        if base.reference is None:  # they were here once: somewhere they may be had again
            self.layers.bring(base.image.layers)
            return
        self.transfer.pull_layers(base.reference, base.image.layers, report)

    def name_whole(self, bases: Iterable[ResolvedBase]) -> None:
        """Give those of ``bases`` their names of which all layers are here."""
        for base in bases:
            if base.reference and not base.named and self.layers.are_here(base.image.layers):
                self.images.put(base.reference, base.target, self.clock.now())
