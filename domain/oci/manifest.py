"""Image manifests (image-spec manifest.md)."""

from collections.abc import Mapping
from dataclasses import field

from img.domain.dataclass import dataclass
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor

DECRYPT_FIRST = "img has no keys; decrypt the image first: skopeo copy --decryption-key"
"""What to do with an image that has an encrypted layer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A config and layers, lowest first (image-spec manifest.md)."""

    config: Descriptor
    layers: tuple[Descriptor, ...] = ()
    media_type: str = media_types.OCI_MANIFEST
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    subject: Descriptor | None = None
    artifact_type: str = ""
    unknown: Mapping[str, object] = field(default_factory=dict, hash=False)

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """The blobs that the manifest names, each once, layers first."""
        return tuple({blob.digest: blob for blob in (*self.layers, self.config)}.values())

    @property
    def encryption(self) -> str:
        """A description of the image's encrypted layers, "" if there are none."""
        for layer in self.layers:
            if layer.media_type.endswith(media_types.ENCRYPTED):
                return f"layer {layer.digest} is {layer.media_type}"
        return ""
