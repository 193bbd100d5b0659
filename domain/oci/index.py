"""Image indexes (image-spec image-index.md)."""

from collections.abc import Mapping
from dataclasses import field

from img.domain.dataclass import dataclass
from img.domain.errors import ImgError
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor
from img.domain.platform import Platform, preference


class NoPlatformMatch(ImgError):
    """An index without a manifest for the wanted platform."""

    exit_code = 7

    def __init__(self, wanted: Platform, offered: tuple[Platform, ...]) -> None:
        names = ", ".join(platform.full_name for platform in offered) or "none"
        super().__init__(f"no match for platform in manifest: {wanted} (available: {names})")
        self.wanted = wanted
        self.offered = offered


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """Manifests, usually one for each platform (image-spec image-index.md)."""

    manifests: tuple[Descriptor, ...] = ()
    media_type: str = media_types.OCI_INDEX
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    subject: Descriptor | None = None
    artifact_type: str = ""
    unknown: Mapping[str, object] = field(default_factory=dict, hash=False)

    def best_for(self, wanted: Platform) -> Descriptor:
        """Return the manifest (or nested index) that suits ``wanted`` best. Raises NoPlatformMatch.

        Entries of platform unknown/unknown are attestations, not images.
        """
        found: list[tuple[bool, int, int]] = []
        for i, manifest in enumerate(self.manifests):
            platform = manifest.platform
            if platform is None:
                found.append((True, 0, i))  # not specified; a match by name wins
            elif (rank := preference(wanted, platform)) is not None:
                found.append((False, rank, i))
        if not found:
            offered = tuple(
                m.platform for m in self.manifests if m.platform and not m.is_attestation
            )
            raise NoPlatformMatch(wanted, offered)
        return self.manifests[min(found)[2]]
