"""Directories that outlive builds: RUN --mount=type=cache."""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from img.application.ports.layer_archive import PackedEntry
from img.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class CacheDirectory:
    """A directory of the host; ``fresh`` when this is its first use."""

    path: str
    fresh: bool


class CacheMounts(Protocol):
    """Finds and makes cache directories by id; several builds may use them at once."""

    @abstractmethod
    def use(
        self, name: str, *, sharing: str, mode: int, owner: tuple[int, int]
    ) -> AbstractContextManager[CacheDirectory]:
        """Enter with the directory of ``name``, made with ``mode`` for uid and gid ``owner``.

        With ``sharing`` "shared" anybody may use it at the same time, "locked" waits until it is
        free, "private" gives another directory if it is in use (Dockerfile reference,
        "RUN --mount=type=cache").
        """

    @abstractmethod
    def files(self, name: str) -> AbstractContextManager[Iterator[PackedEntry]]:
        """Enter with what is below the directory of ``name``, parents first; nothing if none is.

        Nobody who wants it locked uses it meanwhile; it may change under those who share it.
        """
