"""The attestations that a build is asked for."""

from collections.abc import Mapping
from dataclasses import field

from img.domain.dataclass import dataclass

MIN, MAX = "min", "max"
V1, V02 = "v1", "v0.2"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenanceWanted:
    """A statement of how the image was built (BuildKit, docs/attestations/slsa-provenance.md)."""

    mode: str = MAX
    version: str = V1
    builder_id: str = ""
    reproducible: bool = False  # the user's claim
    inline_only: bool = False  # only for images, not for archives and files
    filename: str = "provenance.json"  # in outputs that are files
    complete: bool = False  # fail if a source has no digest


@dataclass(frozen=True, slots=True, kw_only=True)
class SbomWanted:
    """A statement of what packages the image has."""

    generator: str = ""  # the image of a scanner; "": img reads the packages itself
    variables: Mapping[str, str] = field(default_factory=dict, hash=False)  # of the scanner


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestationsWanted:
    """All attestations of one build, and whether they are beside the image, not in an index."""

    provenance: ProvenanceWanted | None = None
    sbom: SbomWanted | None = None
    as_referrers: bool = False

    def __bool__(self) -> bool:
        """Return whether there is any."""
        return self.provenance is not None or self.sbom is not None


NO_ATTESTATIONS = AttestationsWanted()
