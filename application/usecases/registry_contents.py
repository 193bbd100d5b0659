"""Lists of a registry's contents."""

from collections.abc import Iterator

from img.application.ports.registry import Registry, RegistryContents
from img.domain.dataclass import dataclass
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference


@dataclass(frozen=True, slots=True, kw_only=True)
class ListTags:
    """``img tags``: the tags of a repository."""

    contents: RegistryContents

    def __call__(self, repository: ImageReference) -> Iterator[str]:
        """Yield the tags as the registry sends them. Raises ManifestUnknown, RegistryError."""
        return self.contents.tags(repository)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRepositories:
    """``img catalog``: the repositories of a registry."""

    contents: RegistryContents

    def __call__(self, server: str) -> Iterator[str]:
        """Yield the repositories as the registry sends them. Raises RegistryError."""
        return self.contents.repositories(server)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListReferrers:
    """``img referrers``: the manifests that refer to an image."""

    registry: Registry
    contents: RegistryContents

    def __call__(self, image: ImageReference, artifact_type: str = "") -> Iterator[Descriptor]:
        """Yield the manifests of ``artifact_type``, all if it is "". Raises RegistryError.

        A tag is resolved to its digest first. Raises ManifestUnknown for an unknown tag.
        """
        subject = image.digest or self.registry.resolve(image).digest
        yield from self.contents.referrers(image, subject, artifact_type)
