"""What a document says of a blob."""

from collections.abc import Mapping
from dataclasses import field

from img.domain.dataclass import dataclass
from img.domain.digest import Digest
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
