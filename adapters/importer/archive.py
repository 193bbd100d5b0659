"""Archives of all formats."""

from collections.abc import Sequence
from typing import BinaryIO

from img.adapters.importer.contents import Contents
from img.adapters.importer.docker_archive import docker_images, legacy_images
from img.adapters.importer.oci_archive import layout_images
from img.application.ports.blob_store import BlobStore
from img.application.ports.exporter import ArchivedImage, Decompress
from img.application.ports.importer import Importer, InvalidArchive, ReadMembers
from img.domain.oci.codec import InvalidDocument
from img.domain.oci.layout import INDEX_FILE, LAYOUT_FILE


class ArchiveImporter(Importer):
    """An OCI layout in a tar, ``docker save`` of any age, or both in one; compressed or not.

    Where an archive is both, the layout counts: it has the manifests as they were pushed.
    """

    def __init__(self, blobs: BlobStore, members: ReadMembers, decompress: Decompress) -> None:
        self._blobs = blobs
        self._members = members
        self._decompress = decompress

    def read(self, archive: BinaryIO) -> Sequence[ArchivedImage]:
        contents = Contents.of(self._members(archive), self._blobs)
        try:
            return self._images(contents)
        except InvalidDocument as error:
            raise InvalidArchive(error.message) from error

    def _images(self, contents: Contents) -> Sequence[ArchivedImage]:
        if contents.document(LAYOUT_FILE) is not None and contents.document(INDEX_FILE) is not None:
            return layout_images(contents, self._blobs)
        if contents.document("manifest.json") is not None:
            return docker_images(contents, self._blobs, self._decompress)
        if contents.document("repositories") is not None:
            return legacy_images(contents, self._blobs, self._decompress)
        raise InvalidArchive(
            "it holds neither index.json nor manifest.json nor repositories",
            hint="archives are made by `img save`, `docker save`, `podman save` or `skopeo copy`",
        )
