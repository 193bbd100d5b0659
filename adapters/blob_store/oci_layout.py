"""Blobs of an OCI image layout."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from img.adapters.blob_store.files import FileBlobStore
from img.adapters.linux.layout_folder import NURSERY, create_layout
from img.application.ports.blob_store import BlobWriter, IncomingBlob, Waiting
from img.domain.digest import Digest


class OciLayoutBlobStore(FileBlobStore):
    """The blobs of the layout at ``root``, which skopeo, umoci and others can read and write.

    The first blob makes a layout out of a directory that is none yet.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._root = root
        self._nursery = root / NURSERY
        self._incoming = root / NURSERY / "incoming"

    def writer(self) -> BlobWriter:
        create_layout(self._root)
        return super().writer()

    @contextmanager
    def incoming(self, digest: Digest, waiting: Waiting) -> Iterator[IncomingBlob]:
        create_layout(self._root)
        with super().incoming(digest, waiting) as blob:
            yield blob
