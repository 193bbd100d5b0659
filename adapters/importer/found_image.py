"""Images that an archive names, in whichever format."""

from collections.abc import Iterable, Sequence

from img.application.ports.exporter import ArchivedImage
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.oci.descriptor import Descriptor
from img.domain.platform import Platform, preference
from img.domain.reference import ImageReference


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundConfig:
    """The config of one of an image's platforms."""

    digest: Digest
    platform: Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundImage:
    """An image that is whole, with the names that the archive gives it and its configs."""

    target: Descriptor
    references: tuple[ImageReference, ...]
    configs: tuple[FoundConfig, ...]

    def best_config(self, host: Platform) -> tuple[float, FoundConfig]:
        """Return the config that suits ``host`` best, and how well: the lowest is best."""
        ranks = [preference(host, config.platform) for config in self.configs]
        best = min(range(len(ranks)), key=lambda i: _sortable(ranks[i]))
        return _sortable(ranks[best]), self.configs[best]


def with_names(found: Iterable[FoundImage], host: Platform) -> Sequence[ArchivedImage]:
    """Return the images, each once; a name of several belongs to the best for ``host``."""
    images: dict[Digest, FoundImage] = {}
    named: dict[ImageReference, list[FoundImage]] = {}
    for image in found:
        images.setdefault(image.target.digest, image)
        for reference in image.references:
            named.setdefault(reference, []).append(image)
    references: dict[Digest, list[ImageReference]] = {}
    for reference, candidates in named.items():
        owner = min(candidates, key=lambda image: image.best_config(host)[0])
        references.setdefault(owner.target.digest, []).append(reference)
    return [
        ArchivedImage(
            target=image.target,
            references=tuple(references.get(digest, ())),
            config=image.best_config(host)[1].digest,
        )
        for digest, image in images.items()
    ]


def _sortable(rank: int | None) -> float:
    return float("inf") if rank is None else rank
