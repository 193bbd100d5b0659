"""Indexes in a dict."""

from collections.abc import Iterator

from img.application.ports.index_store import IndexStore
from img.domain.filesystem.file_index import FileIndex
from img.domain.oci.chain import DiffID


class MemoryIndexStore(IndexStore):
    """Indexes that are lost with the process."""

    def __init__(self) -> None:
        self._indexes: dict[DiffID, FileIndex] = {}

    def get(self, diff_id: DiffID) -> FileIndex | None:
        return self._indexes.get(diff_id)

    def put(self, diff_id: DiffID, index: FileIndex) -> None:
        self._indexes[diff_id] = index

    def diff_ids(self) -> Iterator[DiffID]:
        yield from list(self._indexes)

    def size(self, diff_id: DiffID) -> int:
        index = self._indexes.get(diff_id)
        return 0 if index is None else len(index.encode())

    def remove(self, diff_id: DiffID) -> None:
        self._indexes.pop(diff_id, None)
