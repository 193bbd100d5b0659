"""File indexes of layers."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Protocol

from img.domain.filesystem.file_index import FileIndex
from img.domain.oci.chain import DiffID


class IndexStore(Protocol):
    """File indexes by the DiffID of the layer; several threads and processes may use one store.

    A lost index can be made again from the blob of the layer.
    """

    @abstractmethod
    def get(self, diff_id: DiffID) -> FileIndex | None:
        """Return the index, None if it is missing or unreadable."""

    @abstractmethod
    def put(self, diff_id: DiffID, index: FileIndex) -> None:
        """Store the index. Atomic and idempotent. Raises StoreFull."""

    @abstractmethod
    def diff_ids(self) -> Iterator[DiffID]:
        """Yield the layers with an index in any order."""

    @abstractmethod
    def size(self, diff_id: DiffID) -> int:
        """Return the disk usage of the index in bytes, 0 if there is none."""

    @abstractmethod
    def remove(self, diff_id: DiffID) -> None:
        """Delete the index if there is one."""
