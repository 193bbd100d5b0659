"""Copying of images from one place to another."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from img.application.ports.clock import Clock
from img.application.ports.exporter import ArchivedImage, Exporter
from img.application.ports.image_layout import LayoutWriter
from img.application.ports.image_store import ImageNotFound, ImageStore
from img.application.ports.output_files import OutputFiles
from img.application.ports.registry import ManifestUnknown, RegistryContents
from img.application.ports.state_lock import StateLock
from img.application.transfer.catalog import Catalog
from img.application.transfer.gather_image import GatherImage, OpenFile
from img.application.transfer.publish import PublishImage
from img.application.transfer.stored_referrers import StoredReferrers
from img.domain.context_location import LayoutPlace
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import UsageError
from img.domain.image_place import ArchivePlace, ImagePlace, RegistryPlace, StoredPlace
from img.domain.oci import media_types
from img.domain.oci.codec import decode_index, decode_manifest
from img.domain.oci.descent import MOST_DOCUMENTS, descend, manifest_for
from img.domain.oci.descriptor import Descriptor
from img.domain.platform import Platform
from img.domain.reference import ImageReference
from img.domain.signing.places import ATTESTATION_SUFFIX, SIGNATURE_SUFFIX, tag_of

_LATEST = "latest"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyImage:
    """``img copy``: an image of all platforms, byte for byte.

    From a registry to a registry, blobs that the other one has are not sent, and those of another
    repository of it are mounted.
    """

    gather: GatherImage
    referrers: StoredReferrers
    publish: PublishImage
    contents: RegistryContents
    catalog: Catalog
    images: ImageStore
    exporters: Mapping[str, Exporter]
    layouts: LayoutWriter
    places: OutputFiles
    clock: Clock
    lock: StateLock
    platform: Platform  # of this machine: for docker archives, which have one platform

    def __call__(
        self,
        source: ImagePlace,
        targets: Sequence[ImagePlace],
        platform: Platform | None = None,
        *,
        open_file: OpenFile,
        referrers: bool = True,
    ) -> Sequence[Descriptor]:
        """Return the manifest or index at each of ``targets``.

        With ``referrers`` signatures and other artifacts that refer to the image go along, from
        registries and the store to registries and the store, and from the store to OCI archives.
        Raises UsageError before anything is copied, the errors of GatherImage and PublishImage,
        OutputNotWritten.
        """
        for target in targets:
            _check(target)
        to_registries = all(isinstance(target, RegistryPlace) for target in targets)
        with self.lock.working():
            copied = self.gather(source, platform, open_file=open_file, whole=not to_registries)
            written = []
            for target in targets:
                beside = self._beside(source, copied) if referrers else ()
                written.append(self._write(copied, target, beside))
                match source, target:
                    case _ if not referrers:
                        pass
                    case RegistryPlace(there), RegistryPlace() | StoredPlace():
                        self._copy_referrers(copied, there, target)
                    case StoredPlace(), RegistryPlace() | StoredPlace():
                        for referrer in beside:
                            self._write_referrer(referrer, target)
                if referrers:
                    self._copy_tagged_signatures(copied, source, target)
        return written

    def _copy_tagged_signatures(
        self, image: Descriptor, source: ImagePlace, target: ImagePlace
    ) -> None:
        """Copy signatures and attestations that have tags, between registries and the store."""
        there, here = _repository_of(source), _repository_of(target)
        if there is None or here is None:
            return
        for document in descend(image, self._children):
            for suffix in (SIGNATURE_SUFFIX, ATTESTATION_SUFFIX):
                tag = tag_of(document.digest, suffix)
                with suppress(ManifestUnknown, ImageNotFound):
                    if isinstance(source, RegistryPlace):
                        whole = not isinstance(target, RegistryPlace)
                        found = self.gather.of_registry(there.with_tag(tag), whole=whole)
                    else:
                        found = self.images.get(there.with_tag(tag)).target
                    if isinstance(target, RegistryPlace):
                        self.publish(found, here.with_tag(tag), partially=False)
                    else:
                        self.images.put(here.with_tag(tag), found, self.clock.now())

    def _beside(self, source: ImagePlace, image: Descriptor) -> Sequence[Descriptor]:
        """Return the attestations in the store that refer to an image of the store."""
        return self.referrers(image) if isinstance(source, StoredPlace) else ()

    def _write(
        self, image: Descriptor, target: ImagePlace, beside: Sequence[Descriptor]
    ) -> Descriptor:
        match target:
            case RegistryPlace(reference):
                self.publish(image, reference, nondistributable=True, partially=False)
            case StoredPlace(name):
                assert name.reference is not None
                self.images.put(name.reference, image, self.clock.now())
            case LayoutPlace(path=path, tag=tag):
                for blob in self._all_blobs(image):
                    with self.catalog.blobs.open(blob.digest) as content:
                        self.layouts.add(path, blob, content)
                self.layouts.name(path, tag or _LATEST, image)
            case ArchivePlace(format=kind, path=path, name=name):
                if kind == "docker":
                    image, _ = manifest_for(image, self.platform, self.catalog.read)
                archived = [ArchivedImage(target=image, references=(name,) if name else ())]
                if kind == "oci":
                    archived += [ArchivedImage(target=each) for each in beside]
                with self.places.file(path) as file:
                    self.exporters[kind].export(archived, file)
        return image

    def _all_blobs(self, image: Descriptor) -> Iterator[Descriptor]:
        """Yield documents and blobs, each before the documents that name it."""
        for document in descend(image, self._children):
            if document.media_type not in media_types.INDEXES:
                yield from decode_manifest(self.catalog.read(document)).blobs
            yield document

    def _children(self, document: Descriptor) -> Sequence[Descriptor]:
        if document.media_type not in media_types.INDEXES:
            return ()
        return decode_index(self.catalog.read(document)).manifests

    def _copy_referrers(
        self, image: Descriptor, source: ImageReference, target: RegistryPlace | StoredPlace
    ) -> None:
        """Copy the referrers of the documents of the image, and the referrers of those."""
        waiting = [document.digest for document in descend(image, self._children)]
        seen: set[Digest] = set(waiting)
        while waiting:
            subject = waiting.pop()
            for referrer in self.contents.referrers(source, subject):
                if referrer.digest in seen:
                    continue
                if len(seen) >= MOST_DOCUMENTS:
                    raise UsageError(
                        f"{source.familiar} has more than {MOST_DOCUMENTS} referrers",
                        hint="leave them out with --no-referrers",
                    )
                seen.add(referrer.digest)
                waiting.append(referrer.digest)
                whole = isinstance(target, StoredPlace)
                found = self.gather.of_registry(source.with_digest(referrer.digest), whole=whole)
                self._write_referrer(found, target)

    def _write_referrer(self, referrer: Descriptor, target: RegistryPlace | StoredPlace) -> None:
        match target:
            case RegistryPlace(reference):
                self.publish(referrer, reference.with_digest(referrer.digest), partially=False)
            case StoredPlace():
                self.images.put(referrer.digest, referrer, self.clock.now())


def _repository_of(place: ImagePlace) -> ImageReference | None:
    """Return the name of an image in a registry or in the store, None for other places and IDs."""
    match place:
        case RegistryPlace(reference):
            return reference
        case StoredPlace(name):
            return name.reference
        case _:
            return None


def _check(target: ImagePlace) -> None:
    """Raise UsageError for a place that an image cannot be copied to."""
    match target:
        case RegistryPlace(reference) if reference.digest is not None:
            raise UsageError(f"{reference}: a copy gets a tag, not a digest")
        case StoredPlace(name) if name.reference is None or name.digits:
            raise UsageError(f"{target}: it must be a name")
        case LayoutPlace(digest=digest) if digest is not None:
            raise UsageError(f"oci-layout://{target.path}: a copy gets a tag, not a digest")
        case _:
            pass
