"""From what a user names to Dockerfile and build context."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Protocol

from img.application.ports.build_context import BuildContext


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerfileText:
    """A Dockerfile as found; ``ignore`` is the text of the ignore file that goes with it."""

    name: str  # as messages call it
    content: bytes
    ignore: str | None = None


class ContextSource(Protocol):
    """Opens build contexts by location."""

    @abstractmethod
    def dockerfile(self, location: str, file: str | None) -> DockerfileText:
        """Return the Dockerfile for the context at ``location``: ``file``, or the default one.

        ``file`` is relative to the working directory, "-" is standard input. The ignore file is
        ``<Dockerfile>.dockerignore`` beside it, else ``.dockerignore`` of the context
        (Dockerfile reference, ".dockerignore file"). Raises ContextError.
        """

    @abstractmethod
    def open(self, location: str, ignore: tuple[str, ...]) -> BuildContext:
        """Return the context at ``location`` without what the patterns ``ignore`` exclude.

        Raises ContextError.
        """
