"""Directories with the files of build contexts, for bind mounts."""

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from img.application.ports.cache_mounts import KeptDirectory
from img.application.ports.layer_archive import PackedEntry
from img.domain.process import DirectoryRoot


class ContextViews(Protocol):
    """Directories with the files that ``RUN --mount=type=bind`` shows.

    The entry of each file has its digest, and all owners are 0:0. Several threads and processes
    may use them. ``shared`` and ``private`` raise StoreFull, and errors of opening the files.
    """

    @abstractmethod
    def shared(self, files: Sequence[PackedEntry]) -> AbstractContextManager[DirectoryRoot]:
        """Enter with a directory of exactly ``files``, which must not be changed.

        Other steps may use the same directory at the same time. It is kept: the next time only
        changed files are read.
        """

    @abstractmethod
    def private(self, files: Sequence[PackedEntry]) -> AbstractContextManager[DirectoryRoot]:
        """Enter with a directory of exactly ``files`` that may be changed; delete it at the end."""

    @abstractmethod
    def kept(self, *, measured: bool = True) -> Sequence[KeptDirectory]:
        """Return the kept directories; without ``measured``, sizes are estimates."""

    @abstractmethod
    def remove(self, id_: str) -> bool:
        """Delete a directory by its ``id``; False if it is in use or not there."""
