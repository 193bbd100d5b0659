"""What registries hold, beyond the images that one knows the names of."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Protocol

from img.domain.digest import Digest
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference


class RegistryContents(Protocol):
    """Lists of a registry's contents, asked for as they are read; and taking out of them.

    All raise Unauthorized and RegistryError, and lists do so while they are read.
    """

    @abstractmethod
    def tags(self, repository: ImageReference) -> Iterator[str]:
        """Yield the tags, in the registry's order. Raises ManifestUnknown for no repository."""

    @abstractmethod
    def repositories(self, server: str) -> Iterator[str]:
        """Yield the repositories of a registry that the user may see, if it lists them at all."""

    @abstractmethod
    def referrers(
        self, repository: ImageReference, subject: Digest, artifact_type: str = ""
    ) -> Iterator[Descriptor]:
        """Yield the manifests that refer to ``subject``, of ``artifact_type`` if that is given."""

    @abstractmethod
    def delete(self, reference: ImageReference) -> None:
        """Take out a tag, or the image of a digest with all its tags. Raises ManifestUnknown.

        A registry may refuse the one or the other.
        """
