"""Changes in the upper directory of an overlay."""

import errno
import os
import stat
from collections.abc import Collection, Iterator

from img.adapters.linux.syscalls import OPAQUE_XATTR
from img.adapters.snapshotter.attributes import PathTooLong
from img.adapters.storage.file_entries import entry_of, xattr_names
from img.adapters.storage.ownership import REAL, Ownership
from img.domain.filesystem import paths
from img.domain.filesystem.changes import Found
from img.domain.filesystem.entry import DIRECTORY
from img.domain.filesystem.tree import FileTree

_OPAQUE = (OPAQUE_XATTR, "trusted.overlay.opaque")


class UpperDirectory:
    """The files of an upper directory (kernel overlayfs.rst, "whiteouts and opaque directories").

    They are read once, when it is created. Sockets count as whiteouts: layers have none.
    """

    def __init__(self, directory: str, ownership: Ownership = REAL) -> None:
        self._ownership = ownership
        self.found: dict[str, Found] = {}
        self._whiteouts: set[str] = set()
        self._opaque: set[str] = set()
        self._replaced: list[str] = []  # directories that hide the directories of the layers below
        try:
            self._scan(directory)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise PathTooLong(str(error.filename)[len(directory) + 1 :]) from None
            raise

    def is_visible(self, path: str) -> bool:
        """Tell whether the file of the layers below at ``path`` is still visible."""
        if path in self.found or path in self._whiteouts:
            return False
        for parent in paths.ancestors(path):
            if parent in self._whiteouts or parent in self._opaque:
                return False
            above = self.found.get(parent)
            if above is None:
                continue
            if above.entry.kind != DIRECTORY:
                return False
        return True

    def deleted(self, base: FileTree) -> Iterator[str]:
        """Yield the topmost paths of ``base`` that are hidden and not replaced."""
        yield from self._whiteouts
        for directory in self._replaced:
            for name in base.names(directory):
                path = f"{directory}/{name}" if directory else name
                if path not in self.found:
                    yield path

    def _scan(self, directory: str) -> None:
        names = xattr_names(directory)
        root = entry_of(directory, "", os.lstat(directory), names, self._ownership)
        self.found[""] = Found(root)
        todo = [("", directory, False)]
        while todo:
            prefix, where, replaced = todo.pop()
            with os.scandir(where) as entries:
                for item in entries:
                    path = prefix + item.name
                    if self._add(path, item) == DIRECTORY:
                        hidden = replaced or path in self._opaque
                        if hidden:
                            self._replaced.append(path)
                        todo.append((f"{path}/", item.path, hidden))

    def _add(self, path: str, item: os.DirEntry[str]) -> str:
        status = item.stat(follow_symlinks=False)
        mode = status.st_mode
        if stat.S_ISSOCK(mode) or (stat.S_ISCHR(mode) and status.st_rdev == 0):
            self._whiteouts.add(path)
            return ""
        names = xattr_names(item.path)
        entry = entry_of(item.path, path, status, names, self._ownership)
        linked = entry.kind != DIRECTORY and status.st_nlink > 1
        self.found[path] = Found(entry, status.st_ino if linked else None)
        if names and entry.kind == DIRECTORY and _is_opaque(item.path, names):
            self._opaque.add(path)
        return entry.kind


def _is_opaque(path: str, names: Collection[str]) -> bool:
    return any(name in names and os.getxattr(path, name) == b"y" for name in _OPAQUE)
