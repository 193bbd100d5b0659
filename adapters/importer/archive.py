"""Importer for archives of all formats."""

from collections.abc import Sequence
from typing import BinaryIO

from img.adapters.importer.contents import Contents
from img.adapters.importer.docker_archive import docker_images, legacy_images
from img.adapters.importer.found_image import FoundImage, with_names
from img.adapters.importer.oci_archive import layout_images
from img.application.ports.blob_store import BlobMismatch, BlobStore
from img.application.ports.exporter import ArchivedImage, Decompress
from img.application.ports.importer import Importer, InvalidArchive, ReadMembers
from img.domain.oci.codec import InvalidDocument
from img.domain.oci.layout import INDEX_FILE, LAYOUT_FILE
from img.domain.platform import Platform


class ArchiveImporter(Importer):
    """An OCI layout in a tar, ``docker save`` of any age, or both in one; compressed or not.

    In an archive with both, the layout is used, as it has the manifests that were pushed, unless it
    is damaged, as some of docker 25 are (moby#47065, moby#47210). Of several images of one name,
    the one for ``host`` gets it.
    """

    def __init__(
        self, blobs: BlobStore, members: ReadMembers, decompress: Decompress, host: Platform
    ) -> None:
        self._blobs = blobs
        self._members = members
        self._decompress = decompress
        self._host = host

    def read(self, archive: BinaryIO) -> Sequence[ArchivedImage]:
        contents = Contents.of(self._members(archive), self._blobs)
        try:
            found = self._images(contents)
        except InvalidDocument as error:
            raise InvalidArchive(error.message) from error
        if not found:
            raise InvalidArchive("it names no images")
        return with_names(found, self._host)

    def _images(self, contents: Contents) -> Sequence[FoundImage]:
        has_manifest = contents.document("manifest.json") is not None
        if contents.document(LAYOUT_FILE) is not None and contents.document(INDEX_FILE) is not None:
            try:
                found = layout_images(contents, self._blobs, self._decompress)
                if found or not has_manifest:
                    return found
            except (InvalidArchive, InvalidDocument) as problem:
                if not has_manifest:
                    raise
                return self._others(contents, problem)
        if has_manifest:
            return docker_images(contents, self._blobs, self._decompress)
        if contents.document("repositories") is not None:
            return legacy_images(contents, self._blobs, self._decompress)
        raise InvalidArchive(
            "it holds neither index.json nor manifest.json nor repositories",
            hint="archives are made by `img save`, `docker save`, `podman save` or `skopeo copy`",
        )

    def _others(
        self, contents: Contents, problem: InvalidArchive | InvalidDocument
    ) -> Sequence[FoundImage]:
        """Return the images that manifest.json lists, or raise the problem of the layout."""
        try:
            return docker_images(contents, self._blobs, self._decompress)
        except (InvalidArchive, InvalidDocument, BlobMismatch):
            raise problem from None
