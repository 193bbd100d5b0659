"""Keeping of new signatures: beside an image in its registry, or in the store."""

from datetime import UTC

from img.application.ports.blob_store import store_document
from img.application.ports.clock import Clock
from img.application.ports.image_store import ImageNotFound, ImageStore
from img.application.ports.signing_keys import BundleSigner, Signer
from img.application.signatures.find import FindSignatures
from img.application.transfer.publish import PublishImage
from img.domain.dataclass import dataclass
from img.domain.errors import ImgError, UsageError
from img.domain.oci import media_types
from img.domain.oci.codec import encode_manifest
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.manifest import Manifest
from img.domain.reference import ImageReference
from img.domain.signing import envelope
from img.domain.signing.candidate import MOST, Candidate, is_signed_layer
from img.domain.signing.envelope import Envelope
from img.domain.signing.places import (
    ATTESTATION_ARTIFACT,
    ATTESTATION_SUFFIX,
    SIGNATURE_ARTIFACT,
    SIGNATURE_SUFFIX,
    Blob,
    SignatureForm,
    bundle_blob,
    bundle_manifest,
    envelope_blob,
    referrer_manifest,
    signature_blob,
    tag_of,
    tagged_manifest,
)
from img.domain.signing.statement import Statement

_OTHER_SIGNATURE = 64  # bytes by which envelopes of one payload by one key may differ in size


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepSignatures:
    """Storage of new signatures in one of the forms; the caller holds a lease."""

    find: FindSignatures
    publish: PublishImage
    images: ImageStore
    clock: Clock

    def signature(
        self,
        repository: ImageReference,
        subject: Descriptor,
        payload: bytes,
        key: Signer,
        form: SignatureForm,
        *,
        stored: bool,
    ) -> None:
        """Sign ``payload``, a claim about ``subject``, and keep the signature with others.

        A signature by the key that says the same is not repeated. With ``stored`` it is kept in the
        store. Raises InvalidDocument, Unauthorized, RegistryError.
        """
        layer = signature_blob(payload, key.sign(payload))
        if form is SignatureForm.TAG:
            self._tag(repository, subject, SIGNATURE_SUFFIX, layer, key, stored=stored)
        else:
            made = referrer_manifest(layer, subject, SIGNATURE_ARTIFACT)
            self._refer(repository, *made, layer, stored=stored)

    def statement(
        self,
        repository: ImageReference,
        subject: Descriptor,
        payload: bytes,
        key: Signer,
        form: SignatureForm,
        *,
        stored: bool,
    ) -> None:
        """Sign ``payload``, a statement about ``subject``, and keep it as ``signature`` does."""
        kind = Statement.decode(payload).predicate_type
        layer = envelope_blob(key.envelope(payload).encode(), kind)
        if form is SignatureForm.TAG:
            self._tag(repository, subject, ATTESTATION_SUFFIX, layer, key, stored=stored)
        else:
            made = referrer_manifest(layer, subject, ATTESTATION_ARTIFACT)
            self._refer(repository, *made, layer, stored=stored)

    def bundle(
        self,
        repository: ImageReference,
        subject: Descriptor,
        payload: bytes,
        signer: BundleSigner,
        *,
        stored: bool,
    ) -> None:
        """Sign ``payload``, a statement about ``subject``, and keep the bundle as a referrer.

        With ``stored`` it is kept in the store. Raises the errors of ``signer``, Unauthorized,
        RegistryError.
        """
        layer = bundle_blob(signer.bundle(payload))
        now = self.clock.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        kind = Statement.decode(payload).predicate_type
        made = bundle_manifest(layer, subject, kind, now)
        self._refer(repository, *made, layer, stored=stored)

    def _tag(
        self,
        repository: ImageReference,
        subject: Descriptor,
        suffix: str,
        layer: Blob,
        key: Signer,
        *,
        stored: bool,
    ) -> None:
        name = repository.with_tag(tag_of(subject.digest, suffix))
        others = self._there(name, subject, suffix, stored=stored)
        if len(others) >= MOST:
            raise UsageError(
                f"{name} has {len(others)} signatures already", hint="delete the tag first"
            )
        if any(self._says_the_same(repository, other, layer, key) for other in others):
            return
        manifest, config = tagged_manifest([*others, layer.descriptor])
        target = self._written(manifest, config, layer)
        if stored:
            self.images.put(name, target, self.clock.now())
        else:
            self.publish(target, name)

    def _there(
        self, name: ImageReference, subject: Descriptor, suffix: str, *, stored: bool
    ) -> list[Descriptor]:
        """Return the layers of the tag. Raises UsageError if they are no signatures."""
        if not stored:
            tagged = self.find.tagged(name, subject.digest, suffix)
        else:
            try:
                tagged = self.images.get(name).target
            except ImageNotFound:
                tagged = None
        if tagged is None:
            return []
        layers = [*self.find.layers(name, tagged)]
        for layer in layers:
            if not is_signed_layer(layer):
                raise UsageError(f"{name} is no signature: it has a {layer.media_type}")
        return layers

    def _says_the_same(
        self, repository: ImageReference, other: Descriptor, layer: Blob, key: Signer
    ) -> bool:
        if other.media_type == envelope.MEDIA_TYPE:
            if abs(other.size - layer.descriptor.size) > _OTHER_SIGNATURE:
                return False
            payload = Envelope.decode(layer.content).payload
        elif other.digest == layer.descriptor.digest:
            payload = layer.content
        else:
            return False
        try:
            found = Candidate.of_layer(other, self.find.transfer.pull_blob(repository, other))
        except ImgError:
            return False
        same = found.payload == payload
        return same and any(key.verifies(found.signed, each) for each in found.signatures)

    def _refer(
        self,
        repository: ImageReference,
        manifest: Manifest,
        config: Blob,
        layer: Blob,
        *,
        stored: bool,
    ) -> None:
        target = self._written(manifest, config, layer)
        if stored:
            self.images.put(target.digest, target, self.clock.now())
        else:
            self.publish(target, repository.with_digest(target.digest))

    def _written(self, manifest: Manifest, config: Blob, layer: Blob) -> Descriptor:
        """Store the documents of a signature and return its manifest."""
        blobs = self.find.transfer.blobs
        for blob in (layer, config):
            store_document(blobs, blob.content, blob.descriptor.media_type)
        return store_document(blobs, encode_manifest(manifest), media_types.OCI_MANIFEST)
