"""Copies of whole root file systems that share the blocks of files with the originals."""

import os
import stat
from collections.abc import Callable

from img.adapters.snapshotter.attributes import copy_attributes
from img.adapters.snapshotter.copies import copy_file
from img.adapters.storage.ownership import Ownership

Reflink = Callable[[int, int], None]
"""Gives an empty file the content of another, both by descriptor. Raises OSError if it cannot."""


class CannotClone(Exception):
    """The file system cannot share blocks, or not now."""


def clone_tree(source: str, target: str, ownership: Ownership, reflink: Reflink) -> None:
    """Make ``target`` a copy of the directory ``source``. Raises CannotClone, OSError."""
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
        for path in directories:  # the list grows during the loop
            with os.scandir(self._source + path) as entries:
                for entry in entries:
                    name = f"{path}/{entry.name}"
                    if entry.is_dir(follow_symlinks=False):
                        os.mkdir(self._target + name)
                        directories.append(name)
                    else:
                        self._copy(name, entry.stat(follow_symlinks=False))
        for path in reversed(directories):  # directories get their times last
            copy_attributes(self._source + path, self._target + path, self._given, self._owners)

    def _copy(self, name: str, status: os.stat_result) -> None:
        if stat.S_ISSOCK(status.st_mode):
            return
        target = self._target + name
        if status.st_nlink > 1:
            if first := self._made.get(status.st_ino):
                os.link(first, target, follow_symlinks=False)
                return
            self._made[status.st_ino] = target
        copy_file(
            self._source + name,
            target,
            status,
            content=self._share,
            owners=self._owners,
            given=self._given,
        )

    def _share(self, source: int, target: int) -> None:
        try:
            self._reflink(source, target)
        except OSError as error:
            raise CannotClone from error
