"""A directory of a build context as a context."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from typing import BinaryIO

from img.application.ports.build_context import BuildContext
from img.domain.dataclass import dataclass
from img.domain.errors import ContextError
from img.domain.filesystem import paths
from img.domain.filesystem.entry import FILE, Entry
from img.domain.filesystem.tree import FileTree


@dataclass(slots=True)
class PartOfContext(BuildContext):
    """The files below ``directory``, a clean path, of ``whole``. Links do not lead out of it."""

    whole: BuildContext
    directory: str
    _tree: FileTree | None = field(default=None)

    @classmethod
    def of(cls, whole: BuildContext, directory: str) -> BuildContext:
        """Return the files below ``directory``, all for "". Raises ContextError."""
        if not directory:
            return whole
        if not whole.tree().is_directory(directory):
            raise ContextError(f"{directory}: no such directory in the archive")
        return cls(whole, directory)

    def fingerprint(self) -> str | None:
        whole = self.whole.fingerprint()
        return None if whole is None else f"{whole}\0{self.directory}"

    def tree(self) -> FileTree:
        if self._tree is None:
            self._tree = FileTree.of_files(self._entries())
        return self._tree

    def open(self, path: str) -> BinaryIO:
        return self.whole.open(self._outer(path))

    def read_digests(self, paths: Iterable[str]) -> Mapping[str, str]:
        inner = {self._outer(path): path for path in paths}
        return {inner[path]: digest for path, digest in self.whole.read_digests(inner).items()}

    def remember(self, digests: Iterable[tuple[str, str]]) -> None:
        self.whole.remember((self._outer(path), digest) for path, digest in digests)

    def read_file(self, path: str) -> bytes | None:
        found = self.tree().resolve(path)
        entry = self.tree().get(found)
        if entry is None or entry.kind != FILE:
            return None
        return self.whole.read_file(self._outer(found))

    def _outer(self, path: str) -> str:
        return paths.below(self.directory, path)

    def _entries(self) -> Iterator[Entry]:
        for entry in self.whole.tree().walk(self.directory):
            yield entry._replace(path=entry.path[len(self.directory) :].lstrip("/"))
