"""Descriptors of blobs."""

from collections.abc import Mapping
from dataclasses import field

from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.platform import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """A descriptor of a blob (image-spec descriptor.md, "Properties")."""

    media_type: str
    digest: Digest
    size: int  # bytes as stored, so compressed size for most layers
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    platform: Platform | None = None
    urls: tuple[str, ...] = ()
    artifact_type: str = ""
    unknown: Mapping[str, object] = field(default_factory=dict, hash=False)

    @property
    def is_attestation(self) -> bool:
        """True for an attestation of an image in an index (BuildKit, attestation-storage)."""
        return self.platform is not None and self.platform.os == "unknown"

    @property
    def is_foreign(self) -> bool:
        """True for a layer that is only at its URLs (non-distributable)."""
        return self.media_type in media_types.FOREIGN_LAYERS and bool(self.urls)
