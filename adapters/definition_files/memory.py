"""Definition files in memory."""

import posixpath
from collections.abc import Collection, Mapping
from typing import Literal

from img.application.ports.definition_files import LARGEST_DEFINITION, DefinitionFiles
from img.domain.bake.errors import BakeError


class MemoryDefinitionFiles(DefinitionFiles):
    """Files by path; directories are those of files, and ``directories``. There are no links.

    The working directory is /work.
    """

    def __init__(
        self,
        contents: Mapping[str, bytes],
        *,
        directories: Collection[str] = (),
        sockets: Collection[str] = (),
    ) -> None:
        self._contents = dict(contents)
        self._directories = directories
        self._sockets = sockets

    def kind(self, path: str) -> Literal["file", "directory", ""]:
        if path in self._directories or any(n.startswith(f"{path}/") for n in self._contents):
            return "directory"
        return "file" if path in self._contents or path in self._sockets else ""

    def is_private_key(self, path: str) -> bool:
        return b"PRIVATE KEY" in self._contents.get(path, b"")

    def is_socket(self, path: str) -> bool:
        return path in self._sockets

    def read(self, path: str) -> bytes | None:
        if self.kind(path) == "directory":
            raise BakeError(f"read {path}: is a directory")
        found = self._contents.get(path)
        if found is not None and len(found) > LARGEST_DEFINITION:
            raise BakeError(f"open {path}: larger than {LARGEST_DEFINITION} bytes")
        return found

    def is_inside(self, path: str, directory: str) -> bool:
        root = posixpath.join("/work", directory)
        found = posixpath.normpath(posixpath.join("/work", path))
        root = posixpath.normpath(root)
        return root in ("/", found) or found.startswith(f"{root}/")
