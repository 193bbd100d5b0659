"""From what a user names on this machine to Dockerfile and build context."""

from abc import abstractmethod
from typing import BinaryIO, Protocol

from img.application.ports.build_context import BuildContext
from img.domain.dataclass import dataclass

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
