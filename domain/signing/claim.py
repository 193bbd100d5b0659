"""Payloads of signatures of images (cosign, SIGNATURE_SPEC.md, "Payloads": simple signing)."""

from collections.abc import Mapping
from dataclasses import field

from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.oci.fields import Fields, compact

MEDIA_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
_TYPE = "cosign container image signature"
_NAME = "signed payload"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The content of a signature of an image."""

    digest: Digest  # of the manifest or index
    repository: str = ""  # where the signer had it; cosign ignores it
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)

    def encode(self) -> bytes:
        """Return the payload, byte for byte as cosign writes it."""
        critical = {
            "identity": {"docker-reference": self.repository},
            "image": {"docker-manifest-digest": str(self.digest)},
            "type": _TYPE,
        }
        optional = dict(sorted(self.annotations.items())) or None
        return compact({"critical": critical, "optional": optional})

    @classmethod
    def decode(cls, payload: bytes) -> "Claim":
        """Return the claim in a payload. Raises InvalidDocument.

        Annotations that are not text, such as times, are left out.
        """
        fields = Fields.parse(payload, _NAME)
        critical = fields.required_nested("critical")
        if (kind := critical.required_text("type")) != _TYPE:
            critical.refuse("type", f'must be "{_TYPE}", not "{kind[:80]}"')
        identity = critical.nested("identity")
        optional = fields.nested("optional")
        given = optional.rest() if optional else {}
        return cls(
            digest=critical.required_nested("image").digest("docker-manifest-digest"),
            repository=identity.text("docker-reference") if identity else "",
            annotations={name: value for name, value in given.items() if isinstance(value, str)},
        )
