"""Places of signatures in registries (cosign, SIGNATURE_SPEC.md, "Storage"; BUNDLE_SPEC.md)."""

import re
from base64 import b64encode
from collections.abc import Sequence
from enum import Enum

from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import UsageError
from img.domain.oci import media_types
from img.domain.oci.chain import DiffID
from img.domain.oci.codec import encode_config
from img.domain.oci.config import History, ImageConfig
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.manifest import Manifest
from img.domain.platform import Platform
from img.domain.signing import claim, envelope

SIGNATURE = "dev.cosignproject.cosign/signature"
PREDICATE = "predicateType"
BUNDLE_PREDICATE = "dev.sigstore.bundle.predicateType"
BUNDLE_CONTENT = "dev.sigstore.bundle.content"
SIGNATURE_ARTIFACT = "application/vnd.dev.cosign.artifact.sig.v1+json"
ATTESTATION_ARTIFACT = "application/vnd.dev.cosign.artifact.att.v1+json"
SIGNATURE_SUFFIX = "sig"
ATTESTATION_SUFFIX = "att"
EMPTY = b"{}"
_NO_TIME = "0001-01-01T00:00:00Z"  # cosign's zero time: equal signatures have equal manifests


class SignatureForm(Enum):
    """The forms of signatures in registries."""

    TAG = "tag"  # a tag with the digest; all versions of cosign, podman, skopeo, Kyverno
    REFERRER = "referrer"  # the same content as a referrer, as of cosign 2 with OCI 1.1
    BUNDLE = "bundle"  # a Sigstore bundle as a referrer, as of cosign 3

    @classmethod
    def parse(cls, text: str) -> "SignatureForm":
        """Return the form of ``--as text``. Raises UsageError."""
        try:
            return cls(text)
        except ValueError:
            known = ", ".join(form.value for form in cls)
            raise UsageError(f"--as {text}: use {known}") from None


def tag_of(digest: Digest, suffix: str) -> str:
    """Return the tag of the signatures (or attestations) of ``digest``."""
    return f"{digest.algorithm}-{digest.encoded}.{suffix}"


def tags_of(digest: Digest) -> tuple[str, ...]:
    """Return the tags of the signatures and of the attestations of ``digest``."""
    return tuple(tag_of(digest, suffix) for suffix in (SIGNATURE_SUFFIX, ATTESTATION_SUFFIX))


def is_signature_tag(tag: str) -> bool:
    """Return whether ``tag`` has the form of those of ``tags_of``."""
    return re.fullmatch(r"[a-z0-9]+-[0-9a-f]{32,}\.(sig|att)", tag) is not None


@dataclass(frozen=True, slots=True)
class Blob:
    """A small blob and its descriptor."""

    descriptor: Descriptor
    content: bytes


def signature_blob(payload: bytes, signature: bytes) -> Blob:
    """Return the layer of a signature."""
    made = {SIGNATURE: b64encode(signature).decode()}
    return _blob(payload, claim.MEDIA_TYPE, made)


def envelope_blob(content: bytes, predicate_type: str) -> Blob:
    """Return the layer of an attestation."""
    return _blob(content, envelope.MEDIA_TYPE, {SIGNATURE: "", PREDICATE: predicate_type})


def bundle_blob(content: bytes) -> Blob:
    """Return the layer of a Sigstore bundle."""
    return _blob(content, envelope.BUNDLE, {})


def tagged_manifest(layers: Sequence[Descriptor]) -> tuple[Manifest, Blob]:
    """Return the manifest that a tag names, and its config.

    It has the form of an image with payloads as layers, so each registry accepts it.
    """
    config = ImageConfig(
        platform=Platform("", ""),
        diff_ids=tuple(DiffID(layer.digest) for layer in layers),
        created=_NO_TIME,
        history=tuple(History(created=_NO_TIME) for _ in layers),
    )
    blob = _blob(encode_config(config), media_types.OCI_CONFIG, {})
    return Manifest(config=blob.descriptor, layers=tuple(layers)), blob


def referrer_manifest(layer: Blob, subject: Descriptor, artifact: str) -> tuple[Manifest, Blob]:
    """Return a referrer of ``subject`` in the form of cosign 2, and its config."""
    _, config = tagged_manifest([layer.descriptor])
    described = Blob(
        Descriptor(
            media_type=artifact, digest=config.descriptor.digest, size=config.descriptor.size
        ),
        config.content,
    )
    made = Manifest(config=described.descriptor, layers=(layer.descriptor,), subject=subject)
    return made, described


def bundle_manifest(
    layer: Blob, subject: Descriptor, predicate_type: str, created: str
) -> tuple[Manifest, Blob]:
    """Return the referrer of ``subject`` with a Sigstore bundle, and its config."""
    config = _blob(EMPTY, media_types.OCI_EMPTY, {})
    made = Manifest(
        config=config.descriptor,
        layers=(layer.descriptor,),
        subject=subject,
        artifact_type=envelope.BUNDLE,
        annotations={
            BUNDLE_CONTENT: "dsse-envelope",
            BUNDLE_PREDICATE: predicate_type,
            "org.opencontainers.image.created": created,
        },
    )
    return made, config


def is_signature_artifact(artifact_type: str) -> bool:
    """Return whether a referrer of this type may hold signatures or signed attestations."""
    known = (SIGNATURE_ARTIFACT, ATTESTATION_ARTIFACT)
    return artifact_type in known or envelope.is_bundle(artifact_type)


def _blob(content: bytes, media_type: str, annotations: dict[str, str]) -> Blob:
    descriptor = Descriptor(
        media_type=media_type,
        digest=Digest.of(content),
        size=len(content),
        annotations=annotations,
    )
    return Blob(descriptor, content)
