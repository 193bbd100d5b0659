"""Indexes as files, with a record of the questions about them."""

from pathlib import Path

from img.adapters.index_store.files import FileIndexStore
from img.adapters.storage.trace_questions import STAMP
from img.adapters.storage.trace_recorder import TraceRecorder, methods_of, stopping
from img.application.ports.index_store import IndexStore
from img.domain.filesystem.file_index import FileIndex
from img.domain.oci.chain import DiffID


@stopping(methods_of(IndexStore))
class RecordedIndexStore(FileIndexStore):
    """A store that records which indexes a build read; changes stop the recording."""

    def __init__(self, root: Path, recorder: TraceRecorder) -> None:
        super().__init__(root)
        self._recorder = recorder

    def get(self, diff_id: DiffID) -> FileIndex | None:
        self._recorder.ask([STAMP, self._path(diff_id)])
        return super().get(diff_id)
