"""Dockerfile text to raw instructions."""

from abc import abstractmethod
from typing import Protocol

from img.domain.dockerfile.raw import RawDockerfile


class DockerfileParser(Protocol):
    """Splits a Dockerfile into instructions; gives them no meaning."""

    @abstractmethod
    def parse(self, content: bytes) -> RawDockerfile:
        """Return the instructions of ``content`` in order.

        Raises DockerfileError with the line for what no Dockerfile may hold: nothing at all, an
        unterminated heredoc, a line over 65,535 bytes, a bad ``escape`` directive.
        """
