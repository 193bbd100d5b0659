"""Finding what may be signatures of an image: by tags, as referrers, and in the store."""

from collections.abc import Iterator, Sequence

from img.application.ports.image_store import ImageStore
from img.application.ports.registry import ManifestUnknown, Registry, RegistryContents
from img.application.transfer.blobs import Transfer
from img.application.transfer.stored_referrers import StoredReferrers
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import ImgError
from img.domain.oci import media_types
from img.domain.oci.codec import decode_manifest
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference
from img.domain.signing.candidate import (
    MOST,
    MOST_BYTES,
    Candidate,
    is_signed_layer,
    most_bytes,
)
from img.domain.signing.places import (
    ATTESTATION_SUFFIX,
    SIGNATURE_SUFFIX,
    is_signature_artifact,
    tag_of,
    tags_of,
)

_SUFFIXES = (SIGNATURE_SUFFIX, ATTESTATION_SUFFIX)


@dataclass(frozen=True, slots=True, kw_only=True)
class FindSignatures:
    """Candidates for signatures of a digest; nothing is believed of them.

    A broken one is left out and noted in ``reasons``, so that it cannot hide a good one.
    """

    registry: Registry
    contents: RegistryContents
    transfer: Transfer
    images: ImageStore
    stored: StoredReferrers

    def at_registry(
        self, repository: ImageReference, digest: Digest, reasons: list[str]
    ) -> Iterator[Candidate]:
        """Yield the candidates in the repository. Raises Unauthorized, RegistryError."""
        left = [MOST_BYTES]
        for suffix in _SUFFIXES:
            tagged = self.tagged(repository, digest, suffix)
            if tagged is not None:
                yield from self._of_manifest(repository, tagged, reasons, left)
        count = 0
        for referrer in self.contents.referrers(repository, digest):
            if not is_signature_artifact(referrer.artifact_type):
                continue
            count += 1
            if count > MOST:
                reasons.append(f"more than {MOST} referrers are not read")
                return
            yield from self._of_manifest(repository, referrer, reasons, left)

    def tagged(self, repository: ImageReference, digest: Digest, suffix: str) -> Descriptor | None:
        """Return the manifest with the signatures or attestations by tag, None without one."""
        try:
            return self.registry.resolve(repository.with_tag(tag_of(digest, suffix)))
        except ManifestUnknown:
            return None

    def in_store(self, digest: Digest, reasons: list[str]) -> Iterator[Candidate]:
        """Yield the candidates in the store, under the name of any repository."""
        left = [MOST_BYTES]
        tags = tags_of(digest)
        for image in self.images.list():
            reference = image.reference
            if reference is not None and reference.tag in tags:
                yield from self._of_manifest(reference, image.target, reasons, left)
        for referrer in self.stored.about(digest)[:MOST]:
            yield from self._of_manifest(None, referrer, reasons, left)

    def layers(
        self, repository: ImageReference | None, manifest: Descriptor
    ) -> Sequence[Descriptor]:
        """Return the layers of a signature's manifest. Raises InvalidDocument, RegistryError."""
        if repository is None:
            return self.stored.catalog.manifest(manifest).layers
        content = self.transfer.pull_document(repository, manifest)
        return decode_manifest(content).layers

    def _content(self, repository: ImageReference | None, layer: Descriptor) -> bytes:
        if repository is None:
            with self.stored.catalog.blobs.open(layer.digest) as blob:
                return blob.read()
        return self.transfer.pull_blob(repository, layer)

    def _of_manifest(
        self,
        repository: ImageReference | None,
        manifest: Descriptor,
        reasons: list[str],
        left: list[int],
    ) -> Iterator[Candidate]:
        """Yield the candidates of one manifest; ``left`` is how many bytes may still be read.

        Without a repository the manifest and its layers are in the store.
        """
        if manifest.media_type not in media_types.MANIFESTS:
            reasons.append(f"{manifest.digest} is no manifest")
            return
        try:
            layers = [each for each in self.layers(repository, manifest) if is_signed_layer(each)]
        except ImgError as error:
            reasons.append(error.message)
            return
        if len(layers) > MOST:
            reasons.append(f"more than {MOST} of {len(layers)} are not read")
        for layer in layers[:MOST]:
            left[0] -= layer.size
            if layer.size > most_bytes(layer) or left[0] < 0:
                reasons.append("one is too large, or there are too many")
                continue
            try:
                yield Candidate.of_layer(layer, self._content(repository, layer))
            except ImgError as error:
                reasons.append(error.message)
