"""New names in the directory of a layer, which leave the mtimes of parents unchanged."""

import os

from img.adapters.snapshotter.attributes import set_directory
from img.adapters.storage.ownership import Ownership
from img.domain.filesystem import paths
from img.domain.filesystem.entry import DIRECTORY, Entry
from img.domain.filesystem.tree import FileTree


class UpperLinks:
    """Adds and removes names in ``directory`` and restores the mtimes of their parents.

    Missing parents are created as in ``base``, the tree of the layers below. The mtimes are right
    after ``finish``.
    """

    def __init__(self, directory: str, base: FileTree, ownership: Ownership) -> None:
        self._directory = directory
        self._base = base
        self._ownership = ownership
        self._times: dict[str, tuple[int, int]] = {}  # by path: atime and mtime, in nanoseconds

    def place(self, path: str) -> str:
        """Return the full name of ``path``, which may now be created or removed."""
        self._enter(paths.parent(path))
        return f"{self._directory}/{path}"

    def link(self, source: str, path: str) -> None:
        """Make ``path`` a hard link to the file ``source``."""
        os.link(source, self.place(path), follow_symlinks=False)

    def finish(self) -> None:
        """Restore the mtimes of the directories."""
        for path, times in self._times.items():
            os.utime(f"{self._directory}/{path}", ns=times)
        self._times.clear()

    def _enter(self, path: str) -> None:
        if path in self._times:
            return
        if path:
            self._enter(paths.parent(path))
        where = f"{self._directory}/{path}"
        try:
            status = os.lstat(where)
        except FileNotFoundError:
            os.mkdir(where)
            entry = self._base.get(path) or Entry(path, DIRECTORY, 0o755)
            set_directory(where, entry, self._ownership)
            status = os.lstat(where)
        self._times[path] = (status.st_atime_ns, status.st_mtime_ns)
