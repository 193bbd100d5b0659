"""The digests of uncompressed layers."""

import hashlib
from collections.abc import Iterator

from img.application.ports.blob_store import BlobStore
from img.application.ports.exporter import Decompress
from img.application.ports.importer import InvalidArchive
from img.application.ports.layer_archive import InvalidLayer
from img.domain.digest import Digest
from img.domain.oci.chain import DiffID


class DiffIds:
    """Digests of layers, with each blob read once, even if several images share it."""

    def __init__(self, blobs: BlobStore, decompress: Decompress) -> None:
        self._blobs = blobs
        self._decompress = decompress
        self._known: dict[tuple[Digest, str], DiffID] = {}

    def of(self, blob: Digest, algorithm: str = "sha256") -> DiffID:
        """Return the digest of the uncompressed content of a blob. Raises InvalidArchive."""
        if (blob, algorithm) not in self._known:
            content = hashlib.new(algorithm)
            for chunk in self.chunks(blob):
                content.update(chunk)
            self._known[blob, algorithm] = DiffID(Digest(algorithm, content.hexdigest()))
        return self._known[blob, algorithm]

    def chunks(self, blob: Digest) -> Iterator[bytes]:
        """Yield the uncompressed content of a blob. Raises InvalidArchive."""
        try:
            with self._blobs.open(blob) as content:
                yield from self._decompress(content)
        except InvalidLayer as error:
            raise InvalidArchive(error.message) from error
