"""Copies of whole root file systems, whose files share their blocks with the first."""

import os
import stat
from collections.abc import Callable

from img.adapters.linux.file_entries import xattr_names
from img.adapters.linux.owner_records import DEVICE
from img.adapters.linux.ownership import Ownership
from img.adapters.snapshotter.attributes import copy_attributes

Reflink = Callable[[int, int], None]
"""Gives an empty file the content of another, both by descriptor. Raises OSError if it cannot."""


class CannotClone(Exception):
    """The file system shares no blocks, or cannot now."""


def clone_tree(source: str, target: str, ownership: Ownership, reflink: Reflink) -> None:
    """Make ``target`` a directory with all that ``source`` has. Raises CannotClone, OSError."""
    _Clone(source, target, ownership, reflink).make()


class _Clone:
    def __init__(self, source: str, target: str, ownership: Ownership, reflink: Reflink) -> None:
        self._source = source
        self._target = target
        self._reflink = reflink
        self._made: dict[int, str] = {}  # files with several names, by inode
        self._owners = ownership.within(source)
        os.mkdir(target)
        self._given = ownership.within(target)

    def make(self) -> None:
        directories = [""]
        for path in directories:  # which grows meanwhile
            with os.scandir(self._source + path) as entries:
                for entry in entries:
                    name = f"{path}/{entry.name}"
                    if entry.is_dir(follow_symlinks=False):
                        os.mkdir(self._target + name)
                        directories.append(name)
                    else:
                        self._copy(name, entry.stat(follow_symlinks=False))
        for path in reversed(directories):  # their times come last
            self._attributes(path)

    def _copy(self, name: str, status: os.stat_result) -> None:
        kind = stat.S_IFMT(status.st_mode)
        if kind == stat.S_IFSOCK:
            return
        if kind != stat.S_IFDIR and status.st_nlink > 1:
            if first := self._made.get(status.st_ino):
                os.link(first, self._target + name, follow_symlinks=False)
                return
            self._made[status.st_ino] = self._target + name
        if kind == stat.S_IFLNK:
            self._symlink(name, status)
            return
        if kind == stat.S_IFREG:
            self._file(name)
        else:
            os.mknod(self._target + name, kind | 0o600, status.st_rdev)
        self._attributes(name)

    def _file(self, name: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        one = os.open(self._source + name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        other = os.open(self._target + name, flags, 0o600)
        try:
            if os.fstat(one).st_size:
                self._reflink(one, other)
            if DEVICE in xattr_names(self._source + name):
                self._given.stand_for(other, os.getxattr(one, DEVICE))
        except OSError as error:
            raise CannotClone from error
        finally:
            os.close(one)
            os.close(other)

    def _symlink(self, name: str, status: os.stat_result) -> None:
        source, target = self._source + name, self._target + name
        os.symlink(os.readlink(source), target)
        self._given.give(target, *self._owners.of(source, status, xattr_names(source)))
        times = (status.st_atime_ns, status.st_mtime_ns)
        os.utime(target, ns=times, follow_symlinks=False)

    def _attributes(self, name: str) -> None:
        copy_attributes(self._source + name, self._target + name, self._given, self._owners)
