"""Manifests that hold statements (BuildKit, docs/attestations/attestation-storage.md)."""

from collections.abc import Mapping, Sequence

from img.domain.attestations.statement import SPDX_TYPE, STATEMENT_MEDIA_TYPE
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.chain import DiffID
from img.domain.oci.codec import encode_config
from img.domain.oci.config import ImageConfig
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.manifest import Manifest
from img.domain.platform import Platform

ATTESTATION_TYPE = "application/vnd.docker.attestation.manifest.v1+json"
REFERENCE_TYPE = "vnd.docker.reference.type"
REFERENCE_DIGEST = "vnd.docker.reference.digest"
PREDICATE_TYPE = "in-toto.io/predicate-type"
ATTESTATION = "attestation-manifest"
EMPTY = b"{}"
"""The content of the empty config."""

_UNKNOWN = Platform("unknown", "unknown")


def empty_config() -> Descriptor:
    """Return the descriptor of the empty config, with its content."""
    return Descriptor(
        media_type=media_types.OCI_EMPTY,
        digest=Digest.of(EMPTY),
        size=len(EMPTY),
        unknown={"data": "e30="},
    )


def statement_layer(content: bytes, predicate_type: str) -> Descriptor:
    """Return the descriptor of a statement in a manifest."""
    return Descriptor(
        media_type=STATEMENT_MEDIA_TYPE,
        digest=Digest.of(content),
        size=len(content),
        annotations={PREDICATE_TYPE: predicate_type},
    )


def attestation_manifest(image: Descriptor, layers: Sequence[Descriptor]) -> Manifest:
    """Return the manifest of statements about ``image``, in the form of an OCI artifact."""
    return Manifest(
        config=empty_config(),
        layers=tuple(layers),
        subject=subject_of(image),
        artifact_type=ATTESTATION_TYPE,
    )


def old_config(layers: Sequence[Descriptor]) -> bytes:
    """Return the config of the form that BuildKit wrote before it wrote artifacts."""
    diff_ids = tuple(DiffID(layer.digest) for layer in layers)
    return encode_config(ImageConfig(platform=_UNKNOWN, diff_ids=diff_ids))


def old_manifest(config: Descriptor, layers: Sequence[Descriptor]) -> Manifest:
    """Return the manifest of the old form, which looks like that of an image."""
    return Manifest(config=config, layers=tuple(layers))


def referrer_manifest(
    image: Descriptor, layer: Descriptor, artifact_type: str, annotations: Mapping[str, str]
) -> Manifest:
    """Return an artifact with one document about ``image``."""
    return Manifest(
        config=empty_config(),
        layers=(layer,),
        subject=subject_of(image),
        artifact_type=artifact_type,
        annotations=annotations,
    )


def index_entry(manifest: Descriptor, image: Descriptor) -> Descriptor:
    """Return the entry of an attestation manifest in an index."""
    return Descriptor(
        media_type=manifest.media_type,
        digest=manifest.digest,
        size=manifest.size,
        platform=_UNKNOWN,
        annotations={REFERENCE_TYPE: ATTESTATION, REFERENCE_DIGEST: str(image.digest)},
    )


def subject_of(image: Descriptor) -> Descriptor:
    """Return ``image`` without platform and annotations."""
    return Descriptor(media_type=image.media_type, digest=image.digest, size=image.size)


_DOCUMENT_TYPES = {
    "application/spdx+json": SPDX_TYPE,
    "application/vnd.cyclonedx+json": "https://cyclonedx.org/bom",
}


def predicate_type_of(layer: Descriptor, said: str = "") -> str:
    """Return the type of the predicate in ``layer``, "" if it has none.

    ``said`` is what the artifact says about its only layer.
    """
    if layer.media_type == STATEMENT_MEDIA_TYPE:
        return layer.annotations.get(PREDICATE_TYPE, "") or said
    return _DOCUMENT_TYPES.get(layer.media_type, "")
