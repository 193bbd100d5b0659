"""Copying of images from one place to another."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from img.application.ports.clock import Clock
from img.application.ports.exporter import ArchivedImage, Exporter
from img.application.ports.image_layout import LayoutWriter
from img.application.ports.image_store import ImageStore
from img.application.ports.output_files import OutputFiles
from img.application.ports.state_lock import StateLock
from img.application.transfer.catalog import Catalog
from img.application.transfer.companions import Companion, GatherCompanions
from img.application.transfer.gather_image import GatherImage, OpenFile
from img.application.transfer.keep_companions import KeepCompanions
from img.application.transfer.publish import PublishImage
from img.domain.context_location import LayoutPlace
from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.image_place import ArchivePlace, ImagePlace, RegistryPlace, StoredPlace
from img.domain.oci import media_types
from img.domain.oci.codec import decode_index, decode_manifest
from img.domain.oci.descent import descend, manifest_for
from img.domain.oci.descriptor import Descriptor
from img.domain.platform import Platform
from img.domain.reference import ImageReference

_LATEST = "latest"


@dataclass(frozen=True, slots=True)
class Copied:
    """The manifest or index at a target."""

    target: Descriptor
    has_less: bool = False  # signatures or attestations were left out: docker's format has no place


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyImage:
    """``img copy``: an image of all platforms, byte for byte.

    From a registry to a registry, blobs that the other one has are not sent, and those of another
    repository of it are mounted.
    """

    gather: GatherImage
    companions: GatherCompanions
    keep: KeepCompanions
    publish: PublishImage
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
    ) -> Sequence[Copied]:
        """Return the results, one for each of ``targets``.

        With ``referrers`` signatures and other artifacts that refer to the image go along.
        Raises UsageError before anything is copied, the errors of GatherImage, GatherCompanions and
        KeepCompanions, OutputNotWritten.
        """
        for target in targets:
            _check(target)
        whole = not all(isinstance(target, RegistryPlace) for target in targets)
        # For archives without a place for companions it is enough to know whether there are any.
        most = 1 if all(map(_is_for_docker, targets)) else None
        with self.lock.working():
            archived: Sequence[ArchivedImage] = ()
            if isinstance(source, ArchivePlace):
                archived = self.gather.archived(source, open_file)
                image = self.gather.of_archive(archived, source, platform)
            else:
                image = self.gather(source, platform, open_file=open_file, whole=whole)
            companions: list[Companion] = []
            if referrers:
                found = self.companions(source, image, whole=whole, archived=archived)
                companions += islice(found, most)
            return [self._write(image, companions, source, target) for target in targets]

    def _write(
        self,
        image: Descriptor,
        companions: Sequence[Companion],
        source: ImagePlace,
        target: ImagePlace,
    ) -> Copied:
        match target:
            case RegistryPlace(reference):
                self.publish(image, reference, nondistributable=True, partially=False)
                self.keep.in_registry(companions, reference)
            case StoredPlace(name):
                assert name.reference is not None
                self.images.put(name.reference, image, self.clock.now())
                self.keep.in_store(companions, name.reference)
            case LayoutPlace(path=path, tag=tag):
                self._write_layout(image, companions, path, tag or _LATEST)
            case ArchivePlace(format="docker", path=path, name=name):
                has_less = bool(companions) or self._is_attested(image)
                image, _ = manifest_for(image, self.platform, self.catalog.read)
                self._write_archive("docker", path, [_archived(image, name)])
                return Copied(image, has_less)
            case ArchivePlace(format=kind, path=path, name=name):
                repository = name or _repository_of(source)
                beside = [self.companions.stored.archived(each, repository) for each in companions]
                self._write_archive(kind, path, [_archived(image, name), *beside])
        return Copied(image)

    def _write_layout(
        self, image: Descriptor, companions: Sequence[Companion], path: str, tag: str
    ) -> None:
        for target in (image, *(each.target for each in companions)):
            for blob in self._all_blobs(target):
                with self.catalog.blobs.open(blob.digest) as content:
                    self.layouts.add(path, blob, content)
        self.layouts.name(path, tag, image)
        for companion in companions:
            if companion.tag:
                self.layouts.name(path, companion.tag, companion.target)
        unnamed = [self.companions.stored.listed(each) for each in companions if not each.tag]
        if unnamed:
            self.layouts.add_unnamed(path, unnamed)

    def _write_archive(self, kind: str, path: str, archived: Sequence[ArchivedImage]) -> None:
        with self.places.file(path) as file:
            self.exporters[kind].export(archived, file)

    def _is_attested(self, image: Descriptor) -> bool:
        return any(each.is_attestation for each in descend(image, self._children))

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


def _archived(image: Descriptor, name: ImageReference | None) -> ArchivedImage:
    return ArchivedImage(target=image, references=(name,) if name else ())


def _is_for_docker(place: ImagePlace) -> bool:
    return isinstance(place, ArchivePlace) and place.format == "docker"


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
