"""Build contexts in memory, for tests."""

import hashlib
import io
from collections.abc import Iterable, Mapping
from typing import BinaryIO

from img.application.ports.build_context import BuildContext
from img.domain.errors import ContextError
from img.domain.filesystem import paths
from img.domain.filesystem.entry import DIRECTORY, FILE, Entry
from img.domain.filesystem.tree import FileTree


class MemoryContext(BuildContext):
    """A context of ``files`` by path, and ``others`` (links, directories ...) as entries.

    Parents are implied. ``excluded`` are the files that only read_file() sees. ``read`` and
    ``remembered`` record the requests.
    """

    def __init__(
        self,
        files: Mapping[str, bytes] | None = None,
        *,
        others: Iterable[Entry] = (),
        excluded: Mapping[str, bytes] | None = None,
    ) -> None:
        self._files = dict(files or {})
        self._excluded = dict(excluded or {})
        self._others = list(others)
        self.read: list[str] = []
        self.remembered: dict[str, str] = {}

    def place(self) -> str | None:
        return "memory"

    def tree(self) -> FileTree:
        entries = {entry.path: entry for entry in self._others}
        for path, content in self._files.items():
            digest = self.remembered.get(path, "")
            entries[path] = Entry(path, FILE, 0o644, size=len(content), digest=digest)
        for path in list(entries):
            for directory in paths.ancestors(path):
                entries.setdefault(directory, Entry(directory, DIRECTORY, 0o755))
        return FileTree.of_files(entries[path] for path in sorted(entries))

    def fingerprint(self) -> str | None:
        shown = repr((sorted(self._files.items()), self._others))
        return hashlib.sha256(shown.encode()).hexdigest()

    def open(self, path: str) -> BinaryIO:
        self.read.append(path)
        return io.BytesIO(self._content(path))

    def read_digests(self, paths: Iterable[str]) -> Mapping[str, str]:
        digests = {path: hashlib.sha256(self._content(path)).hexdigest() for path in paths}
        self.read += digests
        return digests

    def remember(self, digests: Iterable[tuple[str, str]]) -> None:
        self.remembered.update(digests)

    def read_file(self, path: str) -> bytes | None:
        where = self.tree().resolve(path)
        return self._files.get(where, self._excluded.get(where))

    def _content(self, path: str) -> bytes:
        try:
            return self._files[path]
        except KeyError:
            raise ContextError(f"{path}: no such file in the build context") from None
