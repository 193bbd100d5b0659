"""The directory that a step has as /proc: names without contents, made when somebody asks.

A directory of the real /proc is outside of the step's root, and ".." would lead on from it: what a
step opens as one is a directory here. Names below are a step's to change if it is root.
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
    """What a name is of; links are given as their text."""

    DIRECTORY = "directory"
    FILE = "file"


class Skeleton:
    """Makes names in ``root``, a descriptor; to be used by root with no umask."""

    def __init__(self, root: int) -> None:
        self._root = root

    def directory(self, path: bytes, uid: int = 0, gid: int = 0) -> int:
        """Return a descriptor of ``path``, made with what is above it. Raises OSError."""
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
        """Let the directory have these names and no others."""
        there = {os.fsencode(name) for name in os.listdir(directory)}
        for name in there - names.keys():
            _remove(directory, name)
        for name, kind in names.items():
            with suppress(OSError):
                _make(directory, name, kind, exists=name in there)

    def link(self, path: bytes, text: bytes) -> None:
        """Let ``path`` be a link to ``text``."""
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
