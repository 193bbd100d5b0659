"""Artifacts beside an image: referrers, and signatures with a tag; found in any place."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from img.application.ports.exporter import ArchivedImage
from img.application.ports.image_layout import LayoutError
from img.application.ports.image_store import ImageStore
from img.application.ports.registry import ManifestUnknown, RegistryContents
from img.application.transfer.gather_image import GatherImage
from img.application.transfer.stored_referrers import StoredReferrers
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import ImgError, UsageError
from img.domain.image_place import ArchivePlace, ImagePlace, RegistryPlace, StoredPlace
from img.domain.json_text import MOST_BYTES
from img.domain.oci import media_types
from img.domain.oci.codec import decode_manifest
from img.domain.oci.descent import MOST_DOCUMENTS
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.layout import name_of
from img.domain.oci.referrers import closure
from img.domain.reference import ImageReference
from img.domain.signing.places import tags_of

_LEAVE_OUT = "leave them out with --no-referrers"


@dataclass(frozen=True, slots=True)
class Companion:
    """An artifact about an image; signatures in cosign's first form have a tag."""

    target: Descriptor
    tag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCompanions:
    """Companions of images in the store."""

    referrers: StoredReferrers
    images: ImageStore

    def __call__(self, image: Descriptor, name: ImageReference | None) -> Sequence[Companion]:
        """Return the companions, each behind those that it refers to.

        Of equal tags, that in the repository of ``name`` counts, else that of any repository.
        """
        wanted = _tags_of(self.referrers.parts(image))
        tagged: dict[str, Companion] = {}
        for stored in self.images.list():
            reference = stored.reference
            if reference is None or reference.tag not in wanted:
                continue
            is_own = name is not None and reference.repository == name.repository
            if is_own or reference.tag not in tagged:
                tagged[reference.tag] = Companion(stored.target, reference.tag)
        referring = [Companion(each) for each in self.referrers(image)]
        return [*referring, *tagged.values()]

    def listed(self, companion: Companion) -> Descriptor:
        """Return the entry of a companion in an index: with the type of an artifact.

        Raises BlobNotFound, InvalidDocument.
        """
        target = companion.target
        if companion.tag or target.media_type not in media_types.MANIFESTS:
            return target
        manifest = self.referrers.catalog.manifest(target)
        return replace(target, artifact_type=manifest.artifact_type or manifest.config.media_type)

    def archived(
        self, companion: Companion, repository: ImageReference | None = None
    ) -> ArchivedImage:
        """Return the entry of a companion in an archive, where names are full.

        A tag without a ``repository`` gets one that stands for an image without a name.
        """
        named = repository or ImageReference(domain="localhost", path="unnamed")
        return ArchivedImage(
            target=self.listed(companion),
            references=(named.with_tag(companion.tag),) if companion.tag else (),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GatherCompanions:
    """Companions of an image that was gathered, brought into the store."""

    gather: GatherImage
    contents: RegistryContents
    stored: StoredCompanions

    def __call__(
        self,
        source: ImagePlace,
        image: Descriptor,
        *,
        whole: bool,
        archived: Sequence[ArchivedImage] = (),
    ) -> Iterator[Companion]:
        """Yield the companions at ``source``, each behind those that it refers to.

        ``archived`` is all of the archive that ``source`` is. ``whole`` is that of GatherImage.
        Raises UsageError and LayoutError for too many, InvalidDocument, RegistryError.
        """
        parts = [*self.stored.referrers.parts(image)]
        match source:
            case RegistryPlace(reference):
                yield from self._referring(reference, parts, whole=whole)
                yield from self._tagged(reference, parts, whole=whole)
            case StoredPlace(name):
                yield from self.stored(image, name.reference)
            case ArchivePlace():
                yield from _in_archive(archived, parts)
            case _:
                yield from self._in_layout(source.path, parts)

    def _referring(
        self, source: ImageReference, parts: Sequence[Digest], *, whole: bool
    ) -> Iterator[Companion]:
        """Yield the referrers of the documents of the image, and the referrers of those."""
        waiting, seen = [*parts], set(parts)
        while waiting:
            for referrer in self.contents.referrers(source, waiting.pop()):
                if referrer.digest in seen:
                    continue
                if len(seen) >= MOST_DOCUMENTS:
                    raise UsageError(
                        f"{source.familiar} has more than {MOST_DOCUMENTS} referrers",
                        hint=_LEAVE_OUT,
                    )
                seen.add(referrer.digest)
                waiting.append(referrer.digest)
                by_digest = source.with_digest(referrer.digest)
                yield Companion(self.gather.of_registry(by_digest, whole=whole))

    def _tagged(
        self, source: ImageReference, parts: Sequence[Digest], *, whole: bool
    ) -> Iterator[Companion]:
        for tag in _tags_of(parts):
            with suppress(ManifestUnknown):
                yield Companion(self.gather.of_registry(source.with_tag(tag), whole=whole), tag)

    def _in_layout(self, path: str, parts: Sequence[Digest]) -> Iterator[Companion]:
        entries = {each.digest: each for each in self.gather.layouts.layouts.entries(path)}
        if len(entries) > MOST_DOCUMENTS:
            raise LayoutError(f"oci-layout {path} has {len(entries)} entries", hint=_LEAVE_OUT)
        subjects = [
            (entry, subject)
            for entry in entries.values()
            if (subject := self._subject(path, entry)) is not None
        ]
        found = [Companion(entry) for entry in closure(parts, subjects)]
        wanted = _tags_of(parts)
        for entry in entries.values():
            if (tag := name_of(entry).rpartition(":")[2]) in wanted:
                found.append(Companion(entry, tag))
        for companion in found:
            entry = self.gather.of_layout(path, companion.target)
            yield Companion(_bare(entry), companion.tag)

    def _subject(self, path: str, entry: Descriptor) -> Digest | None:
        """Return the subject of an entry, None for an image, or a damaged or missing document."""
        if entry.media_type not in media_types.MANIFESTS:
            return None
        try:
            with self.gather.layouts.layouts.open(path, entry) as file:
                content = file.read(MOST_BYTES + 1)
            if Digest.of(content) != entry.digest:
                return None
            subject = decode_manifest(content).subject
        except ImgError:
            return None
        return None if subject is None else subject.digest


def _tags_of(parts: Iterator[Digest] | Sequence[Digest]) -> dict[str, None]:
    """Return the tags of signatures and attestations of documents, in their order."""
    return {tag: None for part in parts for tag in tags_of(part)}


def _in_archive(archived: Sequence[ArchivedImage], parts: Sequence[Digest]) -> Iterator[Companion]:
    subjects = [(each.target, each.subject) for each in archived if each.subject is not None]
    yield from (Companion(_bare(each)) for each in closure(parts, subjects))
    tags = {name.tag: each.target for each in archived for name in each.references}
    yield from (Companion(_bare(tags[tag]), tag) for tag in _tags_of(parts) if tag in tags)


def _bare(entry: Descriptor) -> Descriptor:
    """Return an entry of an index without the names that it has there."""
    return Descriptor(media_type=entry.media_type, digest=entry.digest, size=entry.size)
