"""Dockerfiles and build contexts on this machine."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import BinaryIO, Protocol

from img.domain.dataclass import dataclass
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


DOCKERFILES = ("Dockerfile", "dockerfile", "Containerfile")
"""Names that a Dockerfile has if none is given; the first that is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerfileText:
    """A Dockerfile as found; ``ignore`` is the text of the ignore file that goes with it."""

    name: str  # as messages call it
    content: bytes
    ignore: str | None = None


class Dockerfiles(Protocol):
    """Finds Dockerfiles."""

    @abstractmethod
    def dockerfile(self, location: str, file: str | None) -> DockerfileText:
        """Return the Dockerfile for the context at ``location``: ``file``, or one of DOCKERFILES.

        ``file`` is relative to the working directory, "-" is standard input. The ignore file is
        ``<Dockerfile>.dockerignore`` beside it, else ``.dockerignore`` of the context
        (Dockerfile reference, ".dockerignore file"). All are regular files of at most
        LARGEST_DOCKERFILE bytes; links in the context do not lead out of it. Raises ContextError.
        """


class ContextSource(Dockerfiles, Protocol):
    """Contexts that are on this machine: directories, archives, standard input."""

    @abstractmethod
    def is_directory(self, location: str) -> bool:
        """Tell whether ``location`` is a directory."""

    def ignore_file(self, location: str) -> str | None:
        """Return the text of the ``.dockerignore`` of the directory ``location``, None without one.

        Raises ContextError for one that is no regular file of the directory.
        """
        content = self.open(location, ()).read_file(".dockerignore")
        return None if content is None else content.decode("utf-8", "surrogateescape")

    @abstractmethod
    def open(self, location: str, ignore: tuple[str, ...]) -> BuildContext:
        """Return the directory ``location`` without what the patterns ``ignore`` exclude.

        Raises ContextError.
        """

    @abstractmethod
    def open_archive(self, content: BinaryIO) -> BuildContext | None:
        """Return the files of a tar archive (none, gzip, bzip2, xz, zstd), None if it is none.

        ``content`` can seek and is read to its end. Owners are the archive's. Raises ContextError.
        """

    @abstractmethod
    def standard_input(self) -> BinaryIO:
        """Return standard input; what was read from it is gone."""

    @abstractmethod
    def read(self, path: str) -> bytes:
        """Return a Dockerfile by its path, as ``dockerfile`` does. Raises ContextError."""
