"""Statements about the images of an index (BuildKit, docs/attestations/attestation-storage.md)."""

from collections.abc import Iterator, Sequence

from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.signing import statement

_TYPE = "vnd.docker.reference.type"
_DIGEST = "vnd.docker.reference.digest"
_ATTESTATION = "attestation-manifest"


def pairs_of(index: Index) -> Iterator[tuple[Descriptor, Descriptor]]:
    """Yield each image of ``index`` that has attestations, with the manifest of those."""
    images = {str(each.digest): each for each in index.manifests if not each.is_attestation}
    for each in index.manifests:
        image = images.get(each.annotations.get(_DIGEST, ""))
        if each.annotations.get(_TYPE) == _ATTESTATION and image is not None:
            yield image, each


def statements_of(layers: Sequence[Descriptor]) -> Sequence[Descriptor]:
    """Return those of ``layers``, of an attestation manifest, that are statements."""
    return [layer for layer in layers if layer.media_type == statement.MEDIA_TYPE]
