"""Blobs of an OCI image layout."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from img.adapters.blob_store.files import FileBlobStore, FileBlobWriter
from img.adapters.storage.atomic_file import make_durable_directories, raise_state_error
from img.adapters.storage.oci_layout import TEMP_DIR, create_layout
from img.adapters.storage.own_files import READABLE_MODE, UMASK_MODE, open_own_file
from img.application.ports.blob_store import IncomingBlob, Waiting
from img.domain.digest import Digest

_TRASH = ".img-trash"
_OWN = ".img-own"


class OciLayoutBlobStore(FileBlobStore):
    """The blobs of the layout at ``root``, which tools such as skopeo and umoci can read and write.

    The first blob makes the directory a layout. Only blobs that img has stored or claimed are ever
    marked for deletion: an empty file in ``root/.img-own`` identifies them. Without ``marks`` there
    are no such files: for layouts without garbage collection.
    """

    def __init__(self, root: Path, *, marks: bool = True) -> None:
        mode = READABLE_MODE if marks else UMASK_MODE
        super().__init__(root, trash=_TRASH, directory_mode=mode)
        self._root = root
        self._marks = marks
        self._temp_dir = root / TEMP_DIR
        self._incoming = root / TEMP_DIR / "incoming"
        self._own = str(root / _OWN)

    def writer(self) -> FileBlobWriter:
        create_layout(self._root, in_state=self._marks)
        return FileBlobWriter(self._blobs, self._temp_dir, self._mark, self._directory_mode)

    @contextmanager
    def incoming(self, digest: Digest, waiting: Waiting) -> Iterator[IncomingBlob]:
        create_layout(self._root, in_state=self._marks)
        with super().incoming(digest, waiting) as blob:
            self._mark(digest)
            yield blob

    def mark_for_deletion(self, digest: Digest, generation: int) -> None:
        if self._is_ours(digest):
            super().mark_for_deletion(digest, generation)

    def _is_ours(self, digest: Digest) -> bool:
        return os.path.exists(self._mark_of(digest))

    def sweep(self, generation: int) -> None:
        gone = list(self._trash.digests(generation))
        super().sweep(generation)
        for digest in gone:
            if not os.path.exists(self._path(digest)):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._mark_of(digest))

    def claim(self, digests: Iterable[Digest]) -> None:
        for digest in digests:
            self._make_mark(digest)

    def _mark(self, digest: Digest) -> None:
        """Record, before it is stored, that the blob belongs to img; keep an older state."""
        if not os.path.exists(self._path(digest)):
            self._make_mark(digest)

    def _make_mark(self, digest: Digest) -> None:
        if not self._marks:
            return
        try:
            make_durable_directories(self._own)
            descriptor = open_own_file(self._mark_of(digest), os.O_CREAT | os.O_WRONLY)
            os.close(descriptor)
        except OSError as error:
            raise_state_error(error, self._own)

    def _mark_of(self, digest: Digest) -> str:
        return f"{self._own}/{digest.algorithm}-{digest.encoded}"
