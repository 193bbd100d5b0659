"""Images in an archive, in any format."""

from collections.abc import Iterable, Sequence

from img.application.ports.exporter import ArchivedImage
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.oci import media_types
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
    """A complete image, with its configs and its names in the archive."""

    target: Descriptor
    references: tuple[ImageReference, ...]
    configs: tuple[FoundConfig, ...]
    subject: Digest | None = None  # of an artifact, which has no configs

    @property
    def id(self) -> Digest | None:
        """Return the digest of the config, or of the index for several platforms."""
        if not self.configs:
            return None
        is_index = self.target.media_type in media_types.INDEXES
        return self.target.digest if is_index else self.configs[0].digest

    def preference_of(self, host: Platform) -> float:
        """Return a rank of the image for ``host``: the lowest is best, infinity is unsuitable."""
        ranks = [preference(host, config.platform) for config in self.configs]
        return min((rank for rank in ranks if rank is not None), default=float("inf"))


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
        owner = min(candidates, key=lambda image: image.preference_of(host))
        references.setdefault(owner.target.digest, []).append(reference)
    return [
        ArchivedImage(
            target=image.target,
            references=tuple(references.get(digest, ())),
            id=image.id,
            subject=image.subject,
        )
        for digest, image in images.items()
    ]
