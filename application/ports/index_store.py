"""File indexes of layers."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from img.domain.filesystem.file_index import FileIndex
from img.domain.oci.chain import DiffID

if TYPE_CHECKING:
    from img.domain.filesystem.member_table import MemberTable


class IndexStore(Protocol):
    """File indexes by the DiffID of the layer; several threads and processes may use one store.

    A lost index can be made again from the blob of the layer.
    """

    @abstractmethod
    def get(self, diff_id: DiffID) -> FileIndex | None:
        """Return the index, None if it is missing or unreadable."""

    def members(self, diff_id: DiffID) -> "MemberTable | None":
        """Return the table of the index without its entries, None if there is none."""
        index = self.get(diff_id)
        return None if index is None else index.members

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
