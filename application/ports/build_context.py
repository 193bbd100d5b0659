"""The files COPY may read."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import BinaryIO, Protocol

from img.domain.errors import ContextError
from img.domain.filesystem.tree import FileTree

LARGEST_DOCKERFILE = 16 << 20
"""Bytes of a Dockerfile or ignore file: as many as one message of BuildKit's gateway may have."""


class FileTooLarge(ContextError):
    """A Dockerfile, ignore file or the like that nobody writes so large."""

    def __init__(self, path: str, most: int = LARGEST_DOCKERFILE) -> None:
        super().__init__(f"unable to open {path}: larger than {most} bytes")
        self.path = path


class ContextFileChanged(ContextError):
    """A file of the context that was changed or removed while it was read."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} changed while it was being read", hint="build again")
        self.path = path


class BuildContext(Protocol):
    """A tree of files, those left out that .dockerignore excludes; read only.

    Owners are 0:0 (BuildKit's rule for local sources), mtimes kept.
    """

    @abstractmethod
    def fingerprint(self) -> str | None:
        """Return text that is another one whenever any file, name or attribute is, in no time.

        It may also differ when nothing did. None where a change might go unseen: files that were
        written just now. Raises ContextError.
        """

    @abstractmethod
    def tree(self) -> FileTree:
        """Return the files. Digests are filled in where they are known without reading.

        Raises ContextError.
        """

    @abstractmethod
    def open(self, path: str) -> BinaryIO:
        """Return the content of the regular file ``path``; the caller closes it.

        Raises ContextError, ContextFileChanged.
        """

    @abstractmethod
    def read_digests(self, paths: Iterable[str]) -> Mapping[str, str]:
        """Read the regular files ``paths`` and return their sha256 digests, as hex."""

    @abstractmethod
    def remember(self, digests: Mapping[str, str]) -> None:
        """Take note of the digests of files that somebody read to their end while packing them."""

    @abstractmethod
    def read_file(self, path: str) -> bytes | None:
        """Return a file by its path even if .dockerignore excludes it; None where there is none.

        For the Dockerfile and the ignore file themselves. Links are followed, as if the context
        were the root directory. Raises ContextError for what cannot be read, FileTooLarge.
        """
