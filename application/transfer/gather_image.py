"""Whole images, of all platforms, brought into the store from anywhere."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import BinaryIO

from img.application.ports.exporter import ArchivedImage
from img.application.ports.image_layout import LayoutError
from img.application.ports.importer import Importer, InvalidArchive
from img.application.ports.progress_sink import ProgressSink
from img.application.ports.registry import Registry
from img.application.transfer.blobs import Transfer
from img.application.transfer.copy_layout import CopyFromLayout
from img.application.transfer.find_image import FindImage
from img.application.transfer.pull_documents import reporting
from img.domain.context_location import LayoutPlace
from img.domain.dataclass import dataclass
from img.domain.image_place import ArchivePlace, ImagePlace, RegistryPlace, StoredPlace
from img.domain.oci import media_types
from img.domain.oci.codec import decode_index, decode_manifest
from img.domain.oci.descent import descend, manifest_for
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.layout import is_named
from img.domain.platform import Platform
from img.domain.reference import ImageReference
from img.domain.signing.places import is_signature_tag

OpenFile = Callable[[str], AbstractContextManager[BinaryIO]]
Read = Callable[[Descriptor], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatherImage:
    """Copies of images with their bytes unchanged, attestations included."""

    find: FindImage
    registry: Registry
    transfer: Transfer
    layouts: CopyFromLayout
    importer: Importer
    progress: ProgressSink

    def __call__(
        self,
        place: ImagePlace,
        platform: Platform | None,
        *,
        open_file: OpenFile,
        whole: bool,
    ) -> Descriptor:
        """Return the manifest or index at ``place`` after storing its documents.

        With a ``platform`` it is the manifest for that. ``whole`` stores blobs of registries as
        well; without it they are fetched when they are needed. Raises ImageNotFound, LayoutError,
        InvalidArchive, ManifestUnknown, RegistryError, NoPlatformMatch, InvalidDocument.
        """
        match place:
            case RegistryPlace(reference):
                return self.of_registry(reference, platform, whole=whole)
            case StoredPlace(name):
                read = self.layouts.catalog.read
                target = self._chosen(self.find(name).target, platform, read)
                if whole:
                    self._complete(target, read)
                return target
            case LayoutPlace():
                return self._of_layout(place, platform)
            case ArchivePlace():
                return self.of_archive(self.archived(place, open_file), place, platform)

    def archived(self, place: ArchivePlace, open_file: OpenFile) -> Sequence[ArchivedImage]:
        """Return all images of an archive after storing them. Raises InvalidArchive."""
        with open_file(place.path) as archive:
            return self.importer.read(archive)

    def of_archive(
        self, archived: Sequence[ArchivedImage], place: ArchivePlace, platform: Platform | None
    ) -> Descriptor:
        """Return the manifest or index that ``place`` names, one of those of its archive."""
        found = _named(archived, place)
        return self._chosen(found.target, platform, self.layouts.catalog.read)

    def of_registry(
        self, reference: ImageReference, platform: Platform | None = None, *, whole: bool
    ) -> Descriptor:
        """Return the manifest or index in a registry after storing its documents."""

        def read(document: Descriptor) -> bytes:
            return self.transfer.pull_document(reference, document)

        target = self._chosen(self.registry.resolve(reference), platform, read)
        for document in descend(target, _children(read)):
            if document.media_type in media_types.INDEXES:
                continue
            blobs = decode_manifest(read(document)).blobs
            self.transfer.origins.add(reference.repository, [blob.digest for blob in blobs])
            if whole:
                with reporting(self.progress, f"copy {reference.familiar}", reference) as report:
                    self.transfer.pull_blobs(reference, blobs, report)
        return target

    def _complete(self, target: Descriptor, read: Read) -> None:
        """Fetch the blobs that the store lacks from the repositories that have them."""
        for document in descend(target, _children(read)):
            if document.media_type not in media_types.INDEXES:
                self.transfer.complete(decode_manifest(read(document)).blobs)

    def _of_layout(self, place: LayoutPlace, platform: Platform | None) -> Descriptor:
        entries = self.layouts.layouts.find(place.path, place.tag, place.digest)
        if place.tag and place.digest is None and not is_named(entries[0], place.tag):
            # For a build context the only image is enough.
            raise LayoutError(f"oci-layout {place.path} has no image {place.tag}")
        if len(entries) > 1 and platform is None:
            raise LayoutError(
                f"oci-layout {place.path} has several images of that name", hint="add --platform"
            )
        if platform is not None:
            return self.layouts(place, platform).target
        return self.of_layout(place.path, entries[0])

    def of_layout(self, path: str, entry: Descriptor) -> Descriptor:
        """Return a manifest or index of a layout after storing it with all its blobs."""

        def read(document: Descriptor) -> bytes:
            self.layouts.blob(path, document)
            return self.layouts.catalog.read(document)

        for document in descend(entry, _children(read)):
            if document.media_type not in media_types.INDEXES:
                for blob in decode_manifest(read(document)).blobs:
                    self.layouts.blob(path, blob)
        return entry

    def _chosen(self, target: Descriptor, platform: Platform | None, read: Read) -> Descriptor:
        """Return ``target`` or its manifest for ``platform``, with the size of its content."""
        if platform is not None:
            target, content = manifest_for(target, platform, read)
        else:
            content = read(target)
        # The size from a registry may be wrong.
        return Descriptor(media_type=target.media_type, digest=target.digest, size=len(content))


def _children(read: Read) -> Callable[[Descriptor], Iterable[Descriptor]]:
    def children(document: Descriptor) -> Iterator[Descriptor]:
        if document.media_type in media_types.INDEXES:
            yield from decode_index(read(document)).manifests

    return children


def _named(images: Iterable[ArchivedImage], place: ArchivePlace) -> ArchivedImage:
    found = [
        image
        for image in images
        if image.subject is None
        and (place.name in image.references if place.name else not _is_signature(image))
    ]
    if len(found) != 1:
        which = f" named {place.name}" if place.name else ""
        raise InvalidArchive(
            f"{place.path} has {len(found)} images{which}, not one", hint=f"name it: {place}:NAME"
        )
    return found[0]


def _is_signature(image: ArchivedImage) -> bool:
    return any(is_signature_tag(reference.tag) for reference in image.references)
