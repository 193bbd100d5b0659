"""Saving of images to archives."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import BinaryIO

from img.application.ports.blob_store import BlobStore
from img.application.ports.exporter import ArchivedImage, Exporter
from img.application.ports.state_lock import StateLock
from img.application.transfer.companions import StoredCompanions
from img.application.transfer.damage import dropping_damaged
from img.application.transfer.find_image import FindImage
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import UsageError
from img.domain.image_name import ImageName
from img.domain.json_text import MOST_BYTES
from img.domain.oci import media_types
from img.domain.oci.codec import decode_index
from img.domain.oci.descent import manifest_for
from img.domain.oci.descriptor import Descriptor
from img.domain.platform import Platform


class UnknownFormat(UsageError):
    """The archive format is unknown."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f'"{name}" is not a valid format', hint=f"use {' or '.join(known)}")
        self.name = name


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveImage:
    """``img save``: writing of images to one archive.

    The format "oci" has all stored platforms of an image; "docker", which does not support several
    platforms, has the image for ``platform``.
    """

    find: FindImage
    companions: StoredCompanions
    blobs: BlobStore
    exporters: Mapping[str, Exporter]  # by format
    lock: StateLock
    platform: Platform

    def __call__(
        self, names: Sequence[ImageName], output: BinaryIO, *, archive_format: str
    ) -> Sequence[ImageName]:
        """Write the images to ``output``, which may be a pipe and is not closed.

        An image that is given by an ID has no name in the archive. Return the images with
        signatures or attestations that are left out: the format "docker" has no place for them.

        Raises ImageNotFound before anything is written, UnknownFormat, BlobNotFound,
        NoPlatformMatch, InvalidDocument, ArchiveNotWritten.
        """
        if archive_format not in self.exporters:
            raise UnknownFormat(archive_format, list(self.exporters))
        with self.lock.reading():
            found: dict[Digest, ArchivedImage] = {}
            less: list[ImageName] = []
            for name in names:
                image_here = self.find(name)
                target = image_here.target
                if archive_format == "docker":
                    if self._is_attested(target):
                        less.append(name)
                    target = self._own_platform(target)
                image = found.get(target.digest, ArchivedImage(target=target))
                if reference := image_here.reference_for(name):
                    references = dict.fromkeys((*image.references, reference))
                    image = replace(image, references=tuple(references))
                found[target.digest] = image
            archived = list(found.values())
            if archive_format != "docker":
                archived += self._beside(archived)
            with dropping_damaged(self.blobs):
                self.exporters[archive_format].export(archived, output)
        return less

    def _is_attested(self, target: Descriptor) -> bool:
        if target.media_type in media_types.INDEXES:
            index = decode_index(self._read(target))
            if any(each.is_attestation for each in index.manifests):
                return True
        return bool(self.companions(target, None))

    def _beside(self, images: Sequence[ArchivedImage]) -> Sequence[ArchivedImage]:
        """Return the signatures of ``images`` and other artifacts about them, each once."""
        known = {image.target.digest for image in images}
        found: dict[Digest, ArchivedImage] = {}
        for image in images:
            name = image.references[0] if image.references else None
            for each in self.companions(image.target, name):
                found.setdefault(each.target.digest, self.companions.archived(each, name))
        return [each for digest, each in found.items() if digest not in known]

    def _own_platform(self, target: Descriptor) -> Descriptor:
        return manifest_for(target, self.platform, self._read)[0]

    def _read(self, document: Descriptor) -> bytes:
        with self.blobs.open(document.digest) as blob:
            return blob.read(MOST_BYTES + 1)
