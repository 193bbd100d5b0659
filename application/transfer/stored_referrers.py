"""Artifacts in the store that refer to images in it: attestations beside plain manifests."""

from collections.abc import Iterator, Sequence

from img.application.ports.image_store import ImageNotFound, ImageStore
from img.application.transfer.catalog import Catalog
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import ImgError
from img.domain.oci import media_types
from img.domain.oci.codec import decode_index, decode_manifest
from img.domain.oci.descent import descend
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.referrers import closure


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReferrers:
    """Artifacts without a name; the store keeps one as long as it has an image that it is about."""

    images: ImageStore
    catalog: Catalog

    def __call__(self, target: Descriptor) -> Sequence[Descriptor]:
        """Return the artifacts about ``target`` or a part of that index, and those about these."""
        known = self._all()
        return closure(self.parts(target), known) if known else ()

    def about(self, digest: Digest) -> Sequence[Descriptor]:
        """Return the artifacts about the document with ``digest``, which need not be stored."""
        return [artifact for artifact, subject in self._all() if subject == digest]

    def digests(self) -> frozenset[Digest]:
        """Return the digests of all such artifacts."""
        return frozenset(artifact.digest for artifact, _ in self._all())

    def drop_orphans(self) -> None:
        """Remove the artifacts about images that are not stored any more."""
        known = self._all()
        if not known:
            return
        artifacts = {artifact.digest for artifact, _ in known}
        parts: set[Digest] = set()
        for image in self.images.list():
            if image.target.digest not in artifacts:
                parts.update(self.parts(image.target))
        kept = {artifact.digest for artifact in closure(parts, known)}
        for artifact, _ in known:
            if artifact.digest not in kept:
                try:
                    self.images.remove(artifact.digest)
                except ImageNotFound:  # another process removed it
                    continue

    def _all(self) -> list[tuple[Descriptor, Digest]]:
        """Return all artifacts without a name, and the digests of their subjects."""
        found = []
        for image in self.images.list():
            if image.reference is None and (subject := self._subject(image.target)) is not None:
                found.append((image.target, subject))
        return found

    def _subject(self, target: Descriptor) -> Digest | None:
        """Return the subject of an artifact, None for an image or a damaged document."""
        if target.media_type not in media_types.MANIFESTS:
            return None
        try:
            manifest = decode_manifest(self.catalog.read(target))
        except ImgError:
            return None
        is_image = manifest.config.media_type in media_types.CONFIGS
        return None if is_image or manifest.subject is None else manifest.subject.digest

    def parts(self, target: Descriptor) -> Iterator[Digest]:
        """Yield the digests of ``target`` and of the documents below it that are stored."""
        try:
            for document in descend(target, self._children):
                yield document.digest
        except ImgError:  # a damaged index: what was found counts
            return

    def _children(self, document: Descriptor) -> Sequence[Descriptor]:
        if document.media_type not in media_types.INDEXES:
            return ()
        if self.catalog.blobs.size(document.digest) is None:
            return ()
        return decode_index(self.catalog.read(document)).manifests
