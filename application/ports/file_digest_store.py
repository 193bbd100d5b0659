"""Digests of context files, so that a rebuild stats and does not read."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol


class FileStamp(NamedTuple):
    """What stat(2) says of a file. No content changes unseen: ctime cannot be set back."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int


class KnownFile(NamedTuple):
    """A file as it was seen, with what was read from it then."""

    stamp: FileStamp
    digest: str  # sha256 hex
    xattrs: tuple[tuple[str, bytes], ...]


class FileDigestStore(Protocol):
    """Known files by context directory and path. Losing them only costs reading."""

    @abstractmethod
    def load(self, context: str) -> Mapping[str, KnownFile]:
        """Return what is known below the directory ``context`` (absolute), by relative path."""

    @abstractmethod
    def save(self, context: str, known: Mapping[str, KnownFile], gone: Iterable[str] = ()) -> None:
        """Add or replace ``known`` and forget ``gone``; other paths stay."""

    @abstractmethod
    def forget(self, *, everything: bool = False) -> None:
        """Forget the files of contexts that are no directories any more, or all files."""
