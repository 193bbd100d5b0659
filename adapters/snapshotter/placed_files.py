"""Files with several names, copied into an upper directory before a step can change them.

An overlay copies a file up under the one name by which it is changed; its other names still show
the file below, and the copy cannot be identified afterwards: any attribute that marks it is copied
by ``cp -a`` too. So each file with several names is copied into the upper directory, under all of
them, before the step starts. There all changes apply to one file, as in a plain directory.
Unchanged copies are removed after the step.

With "index=on" the kernel does the same for regular files, on demand (kernel overlayfs.rst,
"Index"). It keeps the number of names in an attribute that other kinds of files cannot have
(xattr(7)), and refuses to change those: they are placed in any case.
"""

import os
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from img.adapters.snapshotter.copies import copy_file
from img.adapters.snapshotter.lower_layers import LowerLayers
from img.adapters.snapshotter.upper_links import UpperLinks
from img.adapters.storage.ownership import Ownership
from img.domain.filesystem.entry import FILE
from img.domain.filesystem.tree import FileTree

_TICK_S = 0.010  # of the clock that stamps files, at most (HZ=100)


class _Placed(NamedTuple):
    names: Sequence[str]
    inode: tuple[int, int]  # after the device
    changed: int  # ctime, in nanoseconds, which steps cannot set


class PlacedFiles:
    """The copies in one upper directory; ``base`` is the tree of the layers below."""

    def __init__(self, upper: str, base: FileTree, ownership: Ownership) -> None:
        self._upper = upper
        self._base = base
        self._ownership = ownership
        self._placed: list[_Placed] = []

    def names(self) -> set[str]:
        """Return the names that still lead to a placed file, unchanged or changed in place."""
        return {
            name
            for file in self._placed
            for name in file.names
            if (status := self._status(name)) is not None and _inode(status) == file.inode
        }

    def place(self, below: LowerLayers, *, index: bool) -> None:
        """Copy the files with several names of the layers below.

        With ``index`` the kernel does so for regular files.
        """
        links = UpperLinks(self._upper, self._base, self._ownership)
        made = [
            (names, self._copy(source, names, links))
            for names in self._wanted(index=index)
            if (source := below.find(names[0])) is not None
        ]
        links.finish()
        if made:
            _wait_for_clock(made[-1][1])
        for names, first in made:
            status = os.lstat(first)
            self._placed.append(_Placed(names, _inode(status), status.st_ctime_ns))

    def take_back(self) -> None:
        """Remove the unchanged copies. Idempotent."""
        links = UpperLinks(self._upper, self._base, self._ownership)
        touched = []
        for file in self._placed:
            if self._is_untouched(file):
                for name in file.names:
                    os.unlink(links.place(name))
            else:
                touched.append(file)
        links.finish()
        self._placed = touched

    def _wanted(self, *, index: bool) -> Iterable[Sequence[str]]:
        for names in self._base.once_linked_files():
            entry = self._base.get(min(names))
            assert entry is not None
            # With an index a special file with one remaining name counts too: the kernel uses the
            # names of the file below.
            if (entry.kind != FILE) if index else len(names) > 1:
                yield sorted(names)

    def _copy(self, source: str, names: Sequence[str], links: UpperLinks) -> str:
        first = links.place(names[0])
        owned = self._ownership
        copy_file(source, first, os.lstat(source), owners=owned, given=owned)
        for name in names[1:]:
            links.link(first, name)
        return first

    def _is_untouched(self, file: _Placed) -> bool:
        # All names: a step may have replaced a directory by a link that leads out of here.
        return all(
            (status := self._status(name)) is not None
            and _inode(status) == file.inode
            and status.st_ctime_ns == file.changed
            for name in file.names
        )

    def _status(self, name: str) -> os.stat_result | None:
        try:
            return os.lstat(f"{self._upper}/{name}")
        except (FileNotFoundError, NotADirectoryError):
            return None


def _inode(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _wait_for_clock(path: str) -> None:
    """Wait until a change of ``path`` would change its ctime.

    Since Linux 6.13 that is at once; before, and on some file systems, the clock ticks.
    """
    for _ in range(2):  # the clock may have ticked just then
        before = os.lstat(path)
        times = (before.st_atime_ns, before.st_mtime_ns)
        os.utime(path, ns=times, follow_symlinks=False)
        if os.lstat(path).st_ctime_ns == before.st_ctime_ns:
            time.sleep(_TICK_S)
            return
