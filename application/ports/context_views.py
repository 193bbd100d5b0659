"""Directories that hold the files of build contexts, for steps to look into."""

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from img.application.ports.cache_mounts import KeptDirectory
from img.application.ports.layer_archive import PackedEntry
from img.domain.process import DirectoryRoot


class ContextViews(Protocol):
    """Makes directories of files that ``RUN --mount=type=bind`` shows; safe for several processes.

    Each file's entry has its digest, and all belong to 0:0. Both methods raise StoreFull, and what
    opening a file raises.
    """

    @abstractmethod
    def shared(self, files: Sequence[PackedEntry]) -> AbstractContextManager[DirectoryRoot]:
        """Enter with a directory of exactly ``files``, to which nothing may be written.

        Other steps may see the same one at the same time. It is kept: the next time only what has
        changed is read.
        """

    @abstractmethod
    def private(self, files: Sequence[PackedEntry]) -> AbstractContextManager[DirectoryRoot]:
        """Enter with a directory of exactly ``files``, to be written to; it is gone after."""

    @abstractmethod
    def kept(self, *, measured: bool = True) -> Sequence[KeptDirectory]:
        """Return the directories that are kept; unless ``measured``, sizes are estimates."""

    @abstractmethod
    def remove(self, id_: str) -> bool:
        """Delete a directory by its ``id``; False if it is in use or not there."""
