"""File indexes by the layers they belong to."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Protocol

from img.domain.filesystem.file_index import FileIndex
from img.domain.oci.chain import DiffID


class IndexStore(Protocol):
    """File indexes of layers. A lost one can be made again from the layer's blob."""

    @abstractmethod
    def get(self, diff_id: DiffID) -> FileIndex | None:
        """Return the index; None where there is none, or where it cannot be read."""

    @abstractmethod
    def put(self, diff_id: DiffID, index: FileIndex) -> None:
        """Store the index. Atomic; putting it again changes nothing."""

    @abstractmethod
    def diff_ids(self) -> Iterator[DiffID]:
        """Yield the layers that have an index, in no order."""

    @abstractmethod
    def size(self, diff_id: DiffID) -> int:
        """Return how many bytes the index takes; 0 where there is none."""

    @abstractmethod
    def remove(self, diff_id: DiffID) -> None:
        """Delete the index; one that is not there is no error."""
