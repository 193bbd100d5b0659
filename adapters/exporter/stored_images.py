"""The blobs of images in the blob store."""

from collections.abc import Iterator

from img.adapters.linux.buffers import CHUNK
from img.application.ports.blob_store import BlobDamaged, BlobNotFound, BlobStore
from img.domain.digest import Digest
from img.domain.json_text import MOST_BYTES
from img.domain.oci.codec import decode_document, decode_manifest
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.oci.manifest import Manifest
from img.domain.oci.presence import presence_of


class StoredImages:
    """The images in a blob store.

    Methods raise BlobNotFound, BlobDamaged, InvalidDocument.
    """

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    def content(self, digest: Digest) -> bytes:
        """Return the content of a small blob, such as a document."""
        with self._blobs.open(digest) as blob:
            return blob.read(MOST_BYTES + 1)  # longer JSON is refused

    def chunks(self, digest: Digest) -> Iterator[bytes]:
        """Yield the content of a blob of any size."""
        with self._blobs.open(digest) as blob:
            while chunk := blob.read(CHUNK):
                yield chunk

    def size(self, digest: Digest) -> int:
        """Return the length of a blob in bytes."""
        size = self._blobs.size(digest)
        if size is None:
            raise BlobNotFound(digest)
        return size

    def document(self, target: Descriptor) -> Manifest | Index:
        """Return the manifest or index that ``target`` names."""
        return decode_document(self.content(target.digest))

    def digests(self, target: Descriptor) -> Iterator[Digest]:
        """Yield all digests of the image, its document last; some may be repeated."""
        document = self.document(target)
        if isinstance(document, Manifest):
            yield from self._blobs_of(document)
            yield target.digest
            return
        present = presence_of(target, self._read, self._has)
        if present.absent and not present.whole:
            raise BlobNotFound(present.absent[0].digest)
        for found in present.whole:
            yield from self._blobs_of(decode_manifest(self.content(found.digest)))
            yield found.digest
        for index in present.indexes:
            yield index.digest

    def _blobs_of(self, manifest: Manifest) -> Iterator[Digest]:
        for blob in manifest.blobs:
            # Layers that may not be distributed are fetched from their URLs on demand.
            if not blob.urls or self._blobs.size(blob.digest) is not None:
                self.check(blob)
                yield blob.digest

    def check(self, blob: Descriptor) -> None:
        """Raise BlobDamaged unless the blob has the length in its descriptor."""
        size = self.size(blob.digest)
        if size != blob.size:
            raise BlobDamaged(blob.digest, size, blob.size)

    def _has(self, blob: Descriptor) -> bool:
        return self._blobs.size(blob.digest) is not None

    def _read(self, document: Descriptor) -> bytes | None:
        return self.content(document.digest) if self._has(document) else None
