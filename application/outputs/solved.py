"""Results of a build."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from img.application.solver.results import Result, Stack
from img.application.transfer.catalog import Image
from img.domain.dataclass import dataclass
from img.domain.graph.vertex import Plan
from img.domain.oci.descriptor import Descriptor
from img.domain.platform import Platform
from img.domain.reference import ImageReference

if TYPE_CHECKING:
    from img.application.outputs.attested import Attested
    from img.domain.graph.exported_cache import ExportedCache


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """The results of the steps for one platform."""

    platform: Platform
    plan: Plan
    results: Mapping[int, Result]
    epoch: int | None = None  # SOURCE_DATE_EPOCH in seconds
    inline: "ExportedCache | None" = None  # a cache for the config of the image
    multi_platform: bool = False  # the image is in an index, even if alone
    attested: "Attested | None" = None  # the attestations of the image, if there are any

    @property
    def stack(self) -> Stack:
        """The layers of the target."""
        stack = self.results[self.plan.target]
        assert isinstance(stack, Stack)
        return stack


def is_multi_platform(built: Sequence[Solved]) -> bool:
    """Return whether the images of a build are in an index, and their files in folders."""
    return len(built) > 1 or any(each.multi_platform for each in built)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltImage:
    """A built image: the target of its names, and the image of each platform.

    ``referrers`` are manifests that refer to the images, and are in no index. ``provenance`` are
    the predicates for the metadata of the build, by platform.
    """

    target: Descriptor
    images: tuple[Image, ...]
    names: tuple[ImageReference, ...] = ()
    referrers: tuple[Descriptor, ...] = ()
    provenance: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
