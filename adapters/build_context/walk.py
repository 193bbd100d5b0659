"""A directory of the host as entries: one pass of scandir and fstatat, no link followed."""

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

from img.application.ports.build_context import ContextFileChanged
from img.application.ports.file_digest_store import FileStamp, KnownFile
from img.domain.dockerfile.ignore import NOT_MATCHED, IgnoreMatcher
from img.domain.errors import ContextError
from img.domain.filesystem.entry import BLOCK, CHARACTER, DIRECTORY, FIFO, FILE, SYMLINK, Entry

_TYPE = 0o170000
_KINDS = {0o020000: CHARACTER, 0o060000: BLOCK, 0o010000: FIFO}  # sockets are left out
_REGULAR, _DIRECTORY, _SYMLINK = 0o100000, 0o040000, 0o120000

_NO_XATTRS: tuple[tuple[str, bytes], ...] = ()
_CAPABILITY = "security.capability"


class Found(NamedTuple):
    """A directory that is still to be listed."""

    path: str
    identity: tuple[int, int]  # device, inode
    state: int  # what the ignore patterns say of it


@dataclass(slots=True)
class Walk:
    """What one pass over a directory found."""

    entries: list[Entry] = field(default_factory=list)  # parents before what they hold
    stamps: dict[str, FileStamp] = field(default_factory=dict)  # of regular files


def stamp_of(status: os.stat_result) -> FileStamp:
    """Return what tells two states of a regular file apart."""
    return FileStamp(
        status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
    )


def walk(root: str, known: Mapping[str, KnownFile], ignore: IgnoreMatcher | None) -> Walk:
    """Return the entries below ``root``, digests and xattrs of unchanged files from ``known``.

    Raises ContextError, ContextFileChanged.
    """
    return _Walker(root, known, ignore).run()


def read_xattrs(path: str) -> tuple[tuple[str, bytes], ...]:
    """Return the attributes that belong in an image; none where the file system has none."""
    try:
        names = os.listxattr(path, follow_symlinks=False)
        kept = sorted(name for name in names if name.startswith("user.") or name == _CAPABILITY)
        return tuple((name, os.getxattr(path, name, follow_symlinks=False)) for name in kept)
    except OSError:
        return _NO_XATTRS


class _Walker:
    def __init__(
        self, root: str, known: Mapping[str, KnownFile], ignore: IgnoreMatcher | None
    ) -> None:
        self._root = root
        self._known = known
        self._ignore = ignore
        self._found = Walk()
        self._links: dict[tuple[int, int], int] = {}  # (device, inode) -> the n-th linked file
        self._hidden: dict[str, Entry] = {}  # excluded, but something inside may be let in

    def run(self) -> Walk:
        root = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._found.entries.append(_directory("", os.fstat(root), self._root))
            todo = self._list(Found("", (0, 0), NOT_MATCHED), root)
            while todo:
                todo += self._enter(todo.pop(), root)
        finally:
            os.close(root)
        return self._found

    def _enter(self, directory: Found, root: int) -> list[Found]:
        # By its whole path, for a handle a level would run out; that no directory above was
        # swapped for a link meanwhile shows in the inode.
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            handle = os.open(directory.path, flags, dir_fd=root)
        except OSError as error:
            _fail(directory.path, error)
        try:
            status = os.fstat(handle)
            if (status.st_dev, status.st_ino) != directory.identity:
                raise ContextFileChanged(directory.path)
            return self._list(directory, handle)
        finally:
            os.close(handle)

    def _list(self, directory: Found, handle: int) -> list[Found]:
        """Add what is in ``directory`` and return the directories among it.

        The loop of the program: a context may have 10^5 files. Hence the local names and the
        bare tuples.
        """
        prefix = f"{directory.path}/" if directory.path else ""
        get_known, number = self._known.get, self._links.setdefault
        judge = self._ignore.excludes_child if self._ignore else None
        state = directory.state
        stamps = self._found.stamps
        make, entry_of, no_device = tuple.__new__, Entry, (0, 0)
        below: list[Found] = []
        found: list[Entry] = []
        add = found.append
        with os.scandir(handle) as items:
            for item in items:
                path = prefix + item.name
                if judge is not None:
                    excluded, state = judge(path, directory.state)
                    if excluded:
                        below += self._hide(path, item, state)
                        continue
                try:
                    status = item.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue  # gone since it was listed: as if the walk had come later
                except OSError as error:
                    _fail(path, error)
                mode = status.st_mode
                kind = mode & _TYPE
                if kind == _REGULAR:
                    stamp = (
                        status.st_dev,
                        status.st_ino,
                        size := status.st_size,
                        mtime := status.st_mtime_ns,
                        status.st_ctime_ns,
                    )
                    seen = get_known(path)
                    if seen is not None and seen[0] == stamp:
                        stamps[path], digest, xattrs = seen
                    else:
                        stamps[path] = FileStamp(*stamp)
                        digest, xattrs = "", read_xattrs(f"{self._root}/{path}")
                    # Two names of one file share a number, as those in a layer share an offset.
                    inode = -1 if status.st_nlink == 1 else number(stamp[:2], len(self._links))
                    row = (path, FILE, mode & 0o7777, 0, 0, size, mtime, "", no_device, xattrs)
                    add(make(entry_of, (*row, digest, inode)))
                elif kind == _DIRECTORY:
                    add(_directory(path, status, f"{self._root}/{path}"))
                    below.append(Found(path, (status.st_dev, status.st_ino), state))
                elif kind == _SYMLINK:
                    add(_symlink(path, status, item.name, handle))
                elif kind in _KINDS:
                    add(_special(path, status, _KINDS[kind]))
        if found:
            self._reveal(directory.path)
            self._found.entries += found
        return below

    def _hide(self, path: str, item: "os.DirEntry[str]", state: int) -> list[Found]:
        """Return the excluded directory ``item`` if something below may be let in again."""
        assert self._ignore is not None
        if not item.is_dir(follow_symlinks=False) or self._ignore.may_skip_directory(path, state):
            return []
        try:
            status = item.stat(follow_symlinks=False)
        except OSError as error:
            _fail(path, error)
        self._hidden[path] = _directory(path, status, f"{self._root}/{path}")
        return [Found(path, (status.st_dev, status.st_ino), state)]

    def _reveal(self, directory: str) -> None:
        """Add the excluded directories that lead to something that is not."""
        if not self._hidden:
            return
        chain = []
        while directory in self._hidden:
            chain.append(self._hidden.pop(directory))
            directory = directory.rpartition("/")[0]
        self._found.entries += reversed(chain)


def _directory(path: str, status: os.stat_result, location: str) -> Entry:
    return Entry(
        path,
        DIRECTORY,
        status.st_mode & 0o7777,
        mtime=status.st_mtime_ns,
        xattrs=read_xattrs(location),
    )


def _symlink(path: str, status: os.stat_result, name: str, directory: int) -> Entry:
    try:
        link = os.readlink(name, dir_fd=directory)
    except OSError:
        raise ContextFileChanged(path) from None
    return Entry(path, SYMLINK, 0o777, mtime=status.st_mtime_ns, link=link)


def _special(path: str, status: os.stat_result, kind: str) -> Entry:
    device = (0, 0) if kind == FIFO else (os.major(status.st_rdev), os.minor(status.st_rdev))
    return Entry(path, kind, status.st_mode & 0o7777, mtime=status.st_mtime_ns, device=device)


def _fail(path: str, error: OSError) -> NoReturn:
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
        raise ContextFileChanged(path) from None
    raise ContextError(f"open {path}: {(error.strerror or '').lower()}") from error
