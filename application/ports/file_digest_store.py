"""Digests of context files, so that a rebuild need not read unchanged files."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol


class FileStamp(NamedTuple):
    """Result of stat(2) that changes with the content of a file: ctime cannot be set back."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int


class KnownFile(NamedTuple):
    """The stamp of a file, with the digest and the xattrs that it had then."""

    stamp: FileStamp
    digest: str  # sha256 hex
    xattrs: tuple[tuple[str, bytes], ...]


class FileDigestStore(Protocol):
    """Known files by context directory and path; several threads and processes may use it.

    Losing records costs time only.
    """

    @abstractmethod
    def load(self, context: str) -> Iterator[tuple[str, KnownFile | None]]:
        """Yield the known files in the directory ``context`` (absolute) with their relative paths.

        A later pair replaces an earlier one of the same path; None: the file was gone then.
        """

    @abstractmethod
    def save(
        self,
        context: str,
        known: Iterable[tuple[str, KnownFile]],
        gone: Iterable[str] = (),
    ) -> None:
        """Add or replace ``known`` by path, and delete ``gone``; other paths stay."""

    @abstractmethod
    def forget(self, *, everything: bool = False) -> None:
        """Delete the files of contexts that do not exist any more, or all files."""
