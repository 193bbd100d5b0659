"""Room for bytes that are needed for a moment."""

from abc import abstractmethod
from typing import BinaryIO, Protocol


class ScratchSpace(Protocol):
    """Makes nameless files; a crash leaves none of them behind."""

    @abstractmethod
    def new(self) -> BinaryIO:
        """Return an empty file to write, seek and read; closing it frees its room.

        Raises StoreFull.
        """
