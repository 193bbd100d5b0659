"""An OCI image layout in a tar file."""

from collections.abc import Sequence
from dataclasses import replace
from typing import BinaryIO

from img.adapters.exporter.archive_file import ArchiveFile
from img.adapters.exporter.stored_images import StoredImages
from img.application.ports.blob_store import BlobStore
from img.application.ports.exporter import ArchivedImage, Exporter
from img.domain.oci.codec import encode_index
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.oci.layout import (
    CONTAINERD_NAME,
    INDEX_FILE,
    LAYOUT_CONTENT,
    LAYOUT_FILE,
    REF_NAME,
    blob_path,
)


class OciArchiveExporter(Exporter):
    """Images unchanged, byte for byte (image-spec image-layout.md; skopeo's ``oci-archive:``).

    Names are full ones, under the keys of the image-spec and of containerd.
    """

    def __init__(self, blobs: BlobStore) -> None:
        self._stored = StoredImages(blobs)

    def export(self, images: Sequence[ArchivedImage], output: BinaryIO) -> None:
        digests = dict.fromkeys(
            digest for image in images for digest in self._stored.digests(image.target)
        )
        # check that all exist before writing
        sizes = {digest: self._stored.size(digest) for digest in digests}
        index = encode_index(
            Index(manifests=tuple(e for image in images for e in index_entries(image)))
        )
        archive = ArchiveFile(output)
        archive.add(LAYOUT_FILE, len(LAYOUT_CONTENT), [LAYOUT_CONTENT])
        archive.add(INDEX_FILE, len(index), [index])
        archive.add_directory("blobs")
        for algorithm in sorted({digest.algorithm for digest in digests}):
            archive.add_directory(f"blobs/{algorithm}")
        for digest, size in sizes.items():
            archive.add(blob_path(digest), size, self._stored.chunks(digest))
        archive.finish()


def index_entries(image: ArchivedImage) -> list[Descriptor]:
    """Return the ``index.json`` entries of an image: one for each name, or one without a name."""
    if not image.references:
        return [image.target]
    return [
        replace(
            image.target,
            annotations={**image.target.annotations, REF_NAME: name, CONTAINERD_NAME: name},
        )
        for name in map(str, image.references)
    ]
