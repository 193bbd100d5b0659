"""Dockerfiles and build contexts on this machine."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, BinaryIO, Protocol

from img.domain.dataclass import dataclass
from img.domain.errors import ContextError
from img.domain.filesystem.tree import FileTree

if TYPE_CHECKING:
    from img.domain.attestations.material import Material

LARGEST_DOCKERFILE = 16 << 20
"""Bytes of a Dockerfile or ignore file: as many as one message of BuildKit's gateway may have."""


class FileTooLarge(ContextError):
    """A Dockerfile or ignore file is larger than the limit."""

    def __init__(self, path: str, most: int = LARGEST_DOCKERFILE) -> None:
        super().__init__(f"unable to open {path}: larger than {most} bytes")
        self.path = path


class ContextFileChanged(ContextError):
    """A file of the context was changed or removed while it was read."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} changed while it was being read", hint="build again")
        self.path = path


class BuildContext(Protocol):
    """A read-only tree of files, without those that .dockerignore excludes.

    Owners are 0:0 (BuildKit's rule for local sources), mtimes are those of the files. Several
    threads may use one context.
    """

    @abstractmethod
    def fingerprint(self) -> str | None:
        """Return a text that changes if any file, name or attribute does, without reading files.

        It may change without them. None if a change might not be detected: for files that were
        written a moment ago. Raises ContextError.
        """

    def place(self) -> str | None:
        """Return a text that is the same for later builds of the same context, None if unknown."""
        return None

    @abstractmethod
    def tree(self) -> FileTree:
        """Return the files, with the digests that are known without reading them.

        Raises ContextError.
        """

    @abstractmethod
    def open(self, path: str) -> BinaryIO:
        """Return the content of the regular file ``path``, which can seek; the caller closes it.

        Raises ContextError, ContextFileChanged.
        """

    @abstractmethod
    def read_digests(self, paths: Iterable[str]) -> Mapping[str, str]:
        """Read the regular files ``paths`` and return their sha256 digests as hex.

        Raises ContextError, ContextFileChanged.
        """

    @abstractmethod
    def remember(self, digests: Iterable[tuple[str, str]]) -> None:
        """Store digests, by path, of files that were read to the end, for later builds."""

    @abstractmethod
    def read_file(self, path: str) -> bytes | None:
        """Return a file by its path even if .dockerignore excludes it, None if it is missing.

        For the Dockerfile and the ignore file. Links are followed as if the context were the root
        directory. Raises ContextError for unreadable files, FileTooLarge.
        """


DOCKERFILES = ("Dockerfile", "dockerfile", "Containerfile")
"""The default names of a Dockerfile; the first that exists is used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerfileText:
    """The text of a Dockerfile, and of its ignore file."""

    name: str  # in messages
    content: bytes
    ignore: str | None = None
    path: str = ""  # of a file of this machine
    material: "Material | None" = None  # of one from a server that is not the context


class Dockerfiles(Protocol):
    """Dockerfiles by the location of their context."""

    @abstractmethod
    def dockerfile(self, location: str, file: str | None) -> DockerfileText:
        """Return the Dockerfile for the context at ``location``: ``file``, or one of DOCKERFILES.

        ``file`` is relative to the working directory, "-" is standard input. The ignore file is
        ``<Dockerfile>.dockerignore`` next to it, else ``.dockerignore`` of the context
        (Dockerfile reference, ".dockerignore file"). All are regular files of at most
        LARGEST_DOCKERFILE bytes; links in the context do not lead out of it. Raises ContextError.
        """


class ContextSource(Dockerfiles, Protocol):
    """Contexts on this machine: directories, archives, standard input."""

    @abstractmethod
    def is_directory(self, location: str) -> bool:
        """Return whether ``location`` is a directory."""

    def ignore_file(self, location: str) -> str | None:
        """Return the text of the ``.dockerignore`` of the directory ``location``, None without one.

        Raises ContextError if it is not a regular file of the directory.
        """
        content = self.open(location, ()).read_file(".dockerignore")
        return None if content is None else content.decode("utf-8", "surrogateescape")

    @abstractmethod
    def open(self, location: str, ignore: tuple[str, ...]) -> BuildContext:
        """Return the directory ``location`` without the files that the patterns ``ignore`` exclude.

        Raises ContextError.
        """

    @abstractmethod
    def open_archive(self, content: BinaryIO) -> BuildContext | None:
        """Return the files of a tar archive (none, gzip, bzip2, xz, zstd), None if it is not one.

        ``content`` is seekable and is read to its end. Owners are those in the archive. Raises
        ContextError.
        """

    @abstractmethod
    def standard_input(self) -> BinaryIO:
        """Return standard input, which can be read once."""

    @abstractmethod
    def read(self, path: str) -> bytes:
        """Return a Dockerfile by its path, as ``dockerfile`` does. Raises ContextError."""
