"""Contexts of archives and URLs without the files that .dockerignore excludes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from typing import BinaryIO

from img.application.ports.build_context import BuildContext
from img.domain.dataclass import dataclass
from img.domain.dockerfile.ignore import IgnoreMatcher
from img.domain.errors import ContextError
from img.domain.filesystem import paths
from img.domain.filesystem.entry import DIRECTORY, Entry
from img.domain.filesystem.tree import FileTree


@dataclass(slots=True)
class FilteredContext(BuildContext):
    """``whole`` without the files that ``patterns`` exclude; parents of other files stay."""

    whole: BuildContext
    patterns: tuple[str, ...]
    _tree: FileTree | None = field(default=None)

    def fingerprint(self) -> str | None:
        whole = self.whole.fingerprint()
        return None if whole is None else f"{whole}\0{self.patterns}"

    def tree(self) -> FileTree:
        if self._tree is None:
            self._tree = FileTree.of_files(self._kept())
        return self._tree

    def open(self, path: str) -> BinaryIO:
        if self.tree().get(path) is None:
            raise ContextError(f"{path}: no such file in the build context")
        return self.whole.open(path)

    def read_digests(self, paths: Iterable[str]) -> Mapping[str, str]:
        return self.whole.read_digests(paths)

    def remember(self, digests: Iterable[tuple[str, str]]) -> None:
        self.whole.remember(digests)

    def read_file(self, path: str) -> bytes | None:
        return self.whole.read_file(path)

    def _kept(self) -> Iterator[Entry]:
        excludes = IgnoreMatcher(self.patterns).hides
        hidden: dict[str, Entry] = {}  # excluded directories, kept if a file in them is
        for entry in self.whole.tree().walk(""):
            if entry.path and excludes(entry.path):
                if entry.kind == DIRECTORY:
                    hidden[entry.path] = entry
                continue
            for directory in paths.ancestors(entry.path):
                if directory in hidden:
                    yield hidden.pop(directory)
            yield entry
