"""Removal of images from registries."""

from img.application.ports.registry import RegistryContents
from img.domain.dataclass import dataclass
from img.domain.reference import ImageReference


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveRemoteImage:
    """``img rm --remote``: removal of a tag, or of a digest with all its tags."""

    contents: RegistryContents

    def __call__(self, image: ImageReference) -> None:
        """Remove ``image`` from its registry. Raises ManifestUnknown, RegistryError."""
        self.contents.delete(image)
