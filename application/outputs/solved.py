"""A build whose steps are done."""

from collections.abc import Mapping

from img.application.catalog import Image
from img.application.solver.results import Result, Stack
from img.domain.dataclass import dataclass
from img.domain.graph.exported_cache import ExportedCache
from img.domain.graph.vertex import Plan
from img.domain.oci.descriptor import Descriptor
from img.domain.platform import Platform
from img.domain.reference import ImageReference


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """What the steps for one platform came to."""

    platform: Platform
    plan: Plan
    results: Mapping[int, Result]
    epoch: int | None = None  # SOURCE_DATE_EPOCH in seconds
    inline: ExportedCache | None = None  # a cache for the image's config to hold

    @property
    def stack(self) -> Stack:
        """The layers of the target."""
        stack = self.results[self.plan.target]
        assert isinstance(stack, Stack)
        return stack


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltImage:
    """What a build came to: what its names stand for, and the images of each platform."""

    target: Descriptor
    images: tuple[Image, ...]
    names: tuple[ImageReference, ...] = ()
