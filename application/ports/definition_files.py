"""The files of this machine that define bake targets, and those that targets name."""

from abc import abstractmethod
from typing import Protocol

from img.domain.bake.definition.checks import LocalFiles

LARGEST_DEFINITION = 16 << 20
"""Bytes of a file; buildx has no limit for local ones."""


class DefinitionFiles(LocalFiles, Protocol):
    """Files by path, relative to the working directory; ``-`` is standard input."""

    @abstractmethod
    def read(self, path: str) -> bytes | None:
        """Return the content of a file, None where there is none.

        Raises BakeError for a file that cannot be read, or has more than LARGEST_DEFINITION bytes.
        """

    @abstractmethod
    def is_inside(self, path: str, directory: str) -> bool:
        """Tell whether ``path`` is ``directory`` or below it, links of both followed."""
