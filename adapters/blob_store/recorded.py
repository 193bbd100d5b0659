"""Blobs as files, with a record of the questions about them."""

from pathlib import Path
from typing import BinaryIO

from img.adapters.blob_store.files import FileBlobStore
from img.adapters.storage.trace_questions import STAMP
from img.adapters.storage.trace_recorder import TraceRecorder, methods_of, stopping
from img.application.ports.blob_store import BlobStore, BlobTrash
from img.domain.digest import Digest


@stopping(methods_of(BlobStore, BlobTrash))
class RecordedBlobStore(FileBlobStore):
    """A store that records which blobs a build looked at; changes stop the recording."""

    def __init__(self, root: Path, recorder: TraceRecorder) -> None:
        super().__init__(root)
        self._recorder = recorder

    def size(self, digest: Digest) -> int | None:
        self._recorder.ask([STAMP, self._path(digest)])
        return super().size(digest)

    def open(self, digest: Digest) -> BinaryIO:
        self._recorder.ask([STAMP, self._path(digest)])
        return super().open(digest)
