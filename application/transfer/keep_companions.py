"""Keeping of the artifacts beside an image, together with those that are there already."""

from collections.abc import Sequence

from img.application.ports.blob_store import store_document
from img.application.ports.clock import Clock
from img.application.ports.image_store import ImageNotFound, ImageStore
from img.application.ports.registry import ManifestUnknown
from img.application.transfer.companions import Companion
from img.application.transfer.publish import PublishImage
from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.oci import media_types
from img.domain.oci.codec import decode_manifest, encode_manifest
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.fields import InvalidDocument
from img.domain.reference import ImageReference
from img.domain.signing.candidate import MOST, is_signed_layer
from img.domain.signing.places import tagged_manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepCompanions:
    """Companions in registries and in the store; the caller holds a lease.

    Signatures of others under a tag stay: the tag gets a manifest with all signatures.
    """

    publish: PublishImage
    images: ImageStore
    clock: Clock

    def in_registry(self, companions: Sequence[Companion], repository: ImageReference) -> None:
        """Push ``companions`` to ``repository``. Raises the errors of PublishImage, UsageError."""
        for companion in companions:
            target = companion.target
            name = repository.with_digest(target.digest)
            if companion.tag:
                name = repository.with_tag(companion.tag)
                if (joined := self._joined(name, target, self._at_registry(name))) is None:
                    continue
                target = joined
            self.publish(target, name, partially=False)

    def in_store(self, companions: Sequence[Companion], repository: ImageReference) -> None:
        """Store ``companions``, tags as those of ``repository``. Raises UsageError."""
        for companion in companions:
            target = companion.target
            if companion.tag:
                name = repository.with_tag(companion.tag)
                if (joined := self._joined(name, target, self._in_store(name))) is not None:
                    self.images.put(name, joined, self.clock.now())
            else:
                self.images.put(target.digest, target, self.clock.now())

    def _at_registry(self, name: ImageReference) -> tuple[Descriptor, bytes] | None:
        try:
            there = self.publish.registry.resolve(name)
        except ManifestUnknown:
            return None
        return there, self.publish.registry.manifest(name, there)

    def _in_store(self, name: ImageReference) -> tuple[Descriptor, bytes] | None:
        try:
            there = self.images.get(name).target
        except ImageNotFound:
            return None
        return there, self.publish.catalog.read(there)

    def _joined(
        self, name: ImageReference, target: Descriptor, there: tuple[Descriptor, bytes] | None
    ) -> Descriptor | None:
        """Return the manifest with the signatures of ``target`` and of the one at ``name``.

        Return None if the latter has them already.
        """
        theirs = _signatures(*there) if there else ()
        ours = _signatures(target, self.publish.catalog.read(target))
        if not theirs:
            return target
        new = [layer for layer in ours if _identity(layer) not in set(map(_identity, theirs))]
        others = [layer for layer in theirs if _identity(layer) not in set(map(_identity, ours))]
        if not new:
            return None
        if not others:
            return target
        if len(ours) + len(others) > MOST:
            raise UsageError(
                f"{name} has {len(theirs)} signatures already", hint="delete the tag first"
            )
        manifest, config = tagged_manifest([*ours, *others])
        blobs = self.publish.catalog.blobs
        store_document(blobs, config.content, config.descriptor.media_type)
        return store_document(blobs, encode_manifest(manifest), media_types.OCI_MANIFEST)


def _signatures(target: Descriptor, content: bytes) -> Sequence[Descriptor]:
    """Return the layers of a manifest if all are signatures, else none."""
    if target.media_type not in media_types.MANIFESTS:
        return ()
    try:
        layers = decode_manifest(content).layers
    except InvalidDocument:
        return ()
    return layers if all(map(is_signed_layer, layers)) else ()


def _identity(layer: Descriptor) -> tuple[object, ...]:
    return layer.digest, *sorted(layer.annotations.items())
