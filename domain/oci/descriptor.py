"""What a document says of a blob."""

from collections.abc import Mapping
from dataclasses import field

from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.platform import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """What a manifest or index says of a blob (image-spec descriptor.md, "Properties")."""

    media_type: str
    digest: Digest
    size: int  # bytes as stored, so compressed for most layers
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    platform: Platform | None = None
    urls: tuple[str, ...] = ()
    artifact_type: str = ""
    unknown: Mapping[str, object] = field(default_factory=dict, hash=False)

    @property
    def is_attestation(self) -> bool:
        """Whether an index lists it as what is said of an image (BuildKit, attestation-storage)."""
        return self.platform is not None and self.platform.os == "unknown"

    @property
    def is_foreign(self) -> bool:
        """Whether it is a layer that stays where its URLs say."""
        return self.media_type in media_types.FOREIGN_LAYERS and bool(self.urls)
