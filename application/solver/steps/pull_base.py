"""Runs PullBase: the layers of a base image."""

from collections.abc import Iterable

from img.application.layers.on_demand import Layers
from img.application.planning.resolve import ResolvedBase
from img.application.ports.clock import Clock
from img.application.ports.image_store import ImageStore
from img.application.solver.progress import StepProgress
from img.application.solver.results import Result, Stack
from img.application.solver.steps.step import SourceStep
from img.application.transfer.blobs import Transfer
from img.application.transfer.download import Report
from img.domain.dataclass import dataclass
from img.domain.graph.cache_key import definition_key
from img.domain.graph.operations import PullBase


@dataclass(frozen=True, slots=True, kw_only=True)
class PullLayers:
    """Layers of base images, and names of those that are completely stored."""

    layers: Layers
    images: ImageStore
    transfer: Transfer
    clock: Clock

    def step(self, operation: PullBase, base: ResolvedBase, *, eager: bool) -> "PullStep":
        """Return the step; if ``eager``, its layers are fetched even if no step needs them."""
        return PullStep(parts=self, operation=operation, base=base, eager=eager)

    def is_here(self, base: ResolvedBase) -> bool:
        """Return whether all layers are in the store, and the name is known."""
        return base.named and self.layers.are_here(base.image.layers)

    def __call__(self, base: ResolvedBase, report: Report) -> None:
        """Fetch the missing layers. Raises RegistryError, BlobNotFound, InvalidLayer …"""
        if base.reference is None:  # no registry is named; another blob origin may have them
            self.layers.bring(base.image.layers)
            return
        self.transfer.pull_layers(base.reference, base.image.layers, report)

    def name_whole(self, bases: Iterable[ResolvedBase]) -> None:
        """Store the names of those ``bases`` of which all layers are stored."""
        for base in bases:
            if base.reference and not base.named and self.layers.are_here(base.image.layers):
                self.images.put(base.reference, base.target, self.clock.now())


@dataclass(frozen=True, slots=True, kw_only=True)
class PullStep(SourceStep):
    """One base image."""

    parts: PullLayers
    operation: PullBase
    base: ResolvedBase
    eager: bool

    def known(self) -> Result:
        return Stack(key=definition_key(self.operation, ()), layers=self.base.image.layers)

    def solve(self, progress: StepProgress) -> Result:
        """Return the layers, fetched or not. Raises RegistryError, StepCanceled."""
        if self.parts.is_here(self.base):
            progress.cached()
        else:
            progress.started()
            if self.eager or self.base.named:
                self.parts(self.base, progress.pulled)
            progress.done()
        return self.known()
