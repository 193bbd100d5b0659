"""Temporary files."""

from abc import abstractmethod
from typing import BinaryIO, Protocol


class ScratchSpace(Protocol):
    """Temporary files without names, which also a crash does not leave behind.

    Several threads may use it; each file belongs to one thread.
    """

    @abstractmethod
    def new(self) -> BinaryIO:
        """Return an empty file to write, seek and read; closing deletes it. Raises StoreFull."""
