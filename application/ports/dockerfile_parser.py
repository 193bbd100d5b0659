"""Parsing of Dockerfiles into raw instructions."""

from abc import abstractmethod
from typing import Protocol

from img.domain.dockerfile.raw import RawDockerfile


class DockerfileParser(Protocol):
    """A parser that splits a Dockerfile into instructions without interpreting them.

    It has no state; several threads may share it.
    """

    @abstractmethod
    def parse(self, content: bytes) -> RawDockerfile:
        """Return the instructions of ``content`` in order.

        Raises DockerfileError with the line for an invalid text: an empty file, an unterminated
        heredoc, a line over 65,535 bytes, a bad ``escape`` directive.
        """
