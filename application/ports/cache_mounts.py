"""Directories that outlive builds: RUN --mount=type=cache."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from img.application.ports.layer_archive import PackedEntry
from img.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class CacheDirectory:
    """A directory of the host; ``fresh`` when this is its first use."""

    path: str
    fresh: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDirectory:
    """A cache directory as housekeeping sees it."""

    id: str
    name: str  # the id that the Dockerfile gave it, "" where that is not known
    size: int  # bytes on disk
    used: float  # when it was last used, in seconds since 1970
    in_use: bool


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

    @abstractmethod
    def kept(self, *, measured: bool = True) -> Sequence[KeptDirectory]:
        """Return all directories; unless ``measured``, sizes may be those of an hour ago."""

    @abstractmethod
    def remove(self, id_: str) -> bool:
        """Delete a directory by its ``id``; False if it is in use or not there."""
