"""The directory that a step has as /proc: names without content, created on demand.

The directories of the real /proc are outside of the step's root, and ".." would lead on from them:
so a step opens directories of this skeleton instead. The step may change the names if it is root.
"""

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from enum import Enum

from img.adapters.linux import syscalls

_INSIDE = syscalls.RESOLVE_BENEATH | syscalls.RESOLVE_NO_SYMLINKS
_MODE = 0o555


class Kind(Enum):
    """The kind of file of a name; a link is given as its text."""

    DIRECTORY = "directory"
    FILE = "file"


class Skeleton:
    """Creates names in ``root``, a descriptor; for root without a umask."""

    def __init__(self, root: int) -> None:
        self._root = root

    def directory(self, path: bytes, uid: int = 0, gid: int = 0) -> int:
        """Return a descriptor of ``path``, which is created with its parents. Raises OSError."""
        done = b""
        for part in path.split(b"/") if path else ():
            done = b"%s/%s" % (done, part) if done else part
            with suppress(FileExistsError):
                os.mkdir(done, _MODE, dir_fd=self._root)
        found = self._open(done or b".")
        if uid or gid:
            os.fchown(found, uid, gid)
        return found

    def fill(self, directory: int, names: Mapping[bytes, Kind | bytes]) -> None:
        """Make ``names`` the only names in the directory."""
        there = {os.fsencode(name) for name in os.listdir(directory)}
        for name in there - names.keys():
            _remove(directory, name)
        for name, kind in names.items():
            with suppress(OSError):
                _make(directory, name, kind, exists=name in there)

    def link(self, path: bytes, text: bytes) -> None:
        """Make ``path`` a link to ``text``."""
        parent, _, name = path.rpartition(b"/")
        directory = self.directory(parent)
        try:
            with suppress(OSError):
                _make(directory, name, text, exists=True)
        finally:
            os.close(directory)

    def _open(self, path: bytes) -> int:
        flags = os.O_RDONLY | os.O_DIRECTORY
        return syscalls.openat2(self._root, os.fsdecode(path), flags, resolve=_INSIDE)


def _make(directory: int, name: bytes, kind: Kind | bytes, *, exists: bool) -> None:
    if isinstance(kind, bytes):
        if exists:
            _remove(directory, name)
        os.symlink(kind, name, dir_fd=directory)
    elif not exists and kind is Kind.DIRECTORY:
        os.mkdir(name, _MODE, dir_fd=directory)
    elif not exists:
        os.mknod(name, 0o444, dir_fd=directory)


def _remove(directory: int, name: bytes) -> None:
    try:
        os.unlink(name, dir_fd=directory)
    except IsADirectoryError:
        shutil.rmtree(name, ignore_errors=True, dir_fd=directory)
    except OSError:
        return
