"""Attestations of stored images and of images in registries."""

from collections.abc import Iterator, Sequence

from img.application.ports.registry import RegistryContents
from img.application.ports.state_lock import StateLock
from img.application.transfer.blobs import Transfer
from img.application.transfer.catalog import Catalog
from img.application.transfer.find_image import FindImage
from img.application.transfer.gather_image import GatherImage
from img.application.transfer.stored_referrers import StoredReferrers
from img.domain.attestations.statement import MOST_BYTES
from img.domain.attestations.storage import (
    ATTESTATION,
    ATTESTATION_TYPE,
    PREDICATE_TYPE,
    REFERENCE_DIGEST,
    REFERENCE_TYPE,
    predicate_type_of,
)
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import UsageError
from img.domain.image_name import ImageName
from img.domain.image_place import RegistryPlace, StoredPlace
from img.domain.oci import media_types
from img.domain.oci.codec import decode_config, decode_index, decode_manifest
from img.domain.oci.descent import MOST_DOCUMENTS, descend
from img.domain.oci.descriptor import Descriptor
from img.domain.platform import Platform, preference
from img.domain.reference import ImageReference


class TooLarge(UsageError):
    """A statement has more bytes than any builder writes."""

    def __init__(self, blob: Descriptor) -> None:
        super().__init__(f"the attestation {blob.digest} has {blob.size} bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundAttestation:
    """A statement or a document about an image, and where it was found."""

    predicate_type: str
    image: Digest  # the manifest that it is about
    platform: Platform | None
    blob: Descriptor
    is_referrer: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAttestations:
    """``img attestations``: those in an index, and those that refer to an image.

    Nothing that they say is verified.
    """

    find: FindImage
    gather: GatherImage
    transfer: Transfer
    catalog: Catalog
    referrers: StoredReferrers
    contents: RegistryContents
    lock: StateLock

    def __call__(
        self,
        place: RegistryPlace | StoredPlace,
        platform: Platform | None = None,
        predicate_type: str = "",
    ) -> Sequence[FoundAttestation]:
        """Return the attestations of one platform and type, by default of all.

        "provenance" and "sbom" name all types of that kind, and a digest one attestation. Raises
        ImageNotFound, BlobNotFound, InvalidDocument, RegistryError.
        """
        with self.lock.working():
            found = list(self._found(place))
        return [
            each
            for each in found
            if _suits(each.platform, platform) and _is_of(each, predicate_type)
        ]

    def content(self, place: RegistryPlace | StoredPlace, found: FoundAttestation) -> bytes:
        """Return the statement or document. Raises TooLarge, BlobNotFound, RegistryError."""
        if found.blob.size > MOST_BYTES:
            raise TooLarge(found.blob)
        with self.lock.working():
            if isinstance(place, RegistryPlace):
                return self.transfer.pull_blob(place.reference, found.blob)
            return self.catalog.read(found.blob)

    def of_name(self, name: ImageName) -> Sequence[FoundAttestation]:
        """Return all attestations of a stored image."""
        return self(StoredPlace(name))

    def _found(self, place: RegistryPlace | StoredPlace) -> Iterator[FoundAttestation]:
        reference: ImageReference | None = None
        match place:
            case RegistryPlace():
                reference = place.reference
                target = self.gather.of_registry(reference, whole=False)
            case StoredPlace(name):
                target = self.find(name).target
        platforms: dict[Digest, Platform | None] = {}
        is_attested = False
        if target.media_type in media_types.MANIFESTS:
            platforms[target.digest] = self._platform_of(target, reference)
        for document in descend(target, self._children):
            platforms.setdefault(document.digest, document.platform)
            if document.is_attestation:
                is_attested = True
                yield from self._of_index(document, platforms, reference)
        images = {digest: each for digest, each in platforms.items() if not _is_unknown(each)}
        for subject, referrer in self._referring(target, images, reference):
            # Registries list those of an index as referrers too, and those of former indexes.
            if not (is_attested and referrer.artifact_type == ATTESTATION_TYPE):
                yield from self._of_manifest(
                    referrer, subject, images.get(subject), reference, is_referrer=True
                )

    def _platform_of(self, target: Descriptor, reference: ImageReference | None) -> Platform | None:
        """Return the platform in the config of an image, None for another artifact."""
        config = decode_manifest(self._read(target, reference)).config
        if config.media_type not in media_types.CONFIGS:
            return None
        if reference is None:
            return decode_config(self.catalog.read(config)).platform
        return decode_config(self.transfer.pull_blob(reference, config)).platform

    def _of_index(
        self,
        document: Descriptor,
        platforms: dict[Digest, Platform | None],
        reference: ImageReference | None,
    ) -> Iterator[FoundAttestation]:
        said = document.annotations.get(REFERENCE_DIGEST, "")
        image = next((each for each in platforms if str(each) == said), None)
        if document.annotations.get(REFERENCE_TYPE) == ATTESTATION and image is not None:
            yield from self._of_manifest(
                document, image, platforms[image], reference, is_referrer=False
            )

    def _of_manifest(
        self,
        document: Descriptor,
        image: Digest,
        platform: Platform | None,
        reference: ImageReference | None,
        *,
        is_referrer: bool,
    ) -> Iterator[FoundAttestation]:
        if document.media_type not in media_types.MANIFESTS:
            return
        for layer in decode_manifest(self._read(document, reference)).layers:
            kind = predicate_type_of(layer, document.annotations.get(PREDICATE_TYPE, ""))
            if kind:
                yield FoundAttestation(
                    predicate_type=kind,
                    image=image,
                    platform=platform,
                    blob=layer,
                    is_referrer=is_referrer,
                )

    def _referring(
        self,
        target: Descriptor,
        images: dict[Digest, Platform | None],
        reference: ImageReference | None,
    ) -> Iterator[tuple[Digest, Descriptor]]:
        """Yield the artifacts that refer to one of ``images``, behind the digest of that."""
        if reference is None:
            for referrer in self.referrers(target):
                subject = decode_manifest(self.catalog.read(referrer)).subject
                if subject is not None and subject.digest in images:
                    yield subject.digest, referrer
            return
        count = 0
        for image in images:
            for referrer in self.contents.referrers(reference, image):
                count += 1
                if count > MOST_DOCUMENTS:
                    raise UsageError(f"{reference.familiar} has more than {count - 1} referrers")
                yield image, referrer

    def _read(self, document: Descriptor, reference: ImageReference | None) -> bytes:
        if reference is None:
            return self.catalog.read(document)
        return self.transfer.pull_document(reference, document)

    def _children(self, document: Descriptor) -> Sequence[Descriptor]:
        if document.media_type not in media_types.INDEXES:
            return ()
        return decode_index(self.catalog.read(document)).manifests


def _is_unknown(platform: Platform | None) -> bool:
    return platform is not None and platform.os == "unknown"


def _suits(platform: Platform | None, wanted: Platform | None) -> bool:
    if wanted is None or platform is None:
        return True
    return preference(wanted, platform) is not None


def _is_of(found: FoundAttestation, wanted: str) -> bool:
    kind = found.predicate_type
    if wanted.startswith("sha256:"):
        return str(found.blob.digest).startswith(wanted)
    match wanted:
        case "provenance":
            return "/provenance/" in kind
        case "sbom":
            return kind.startswith(("https://spdx.dev/", "https://cyclonedx.org/"))
        case _:
            return wanted in ("", kind)
