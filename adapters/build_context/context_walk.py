"""A directory of the host as entries: one pass of scandir and fstatat, no link followed."""

import errno
import marshal
import os
from collections.abc import Mapping
from dataclasses import field
from typing import NamedTuple, NoReturn

from img.application.ports.build_context import ContextFileChanged
from img.application.ports.file_digest_store import FileStamp
from img.domain.dataclass import dataclass
from img.domain.dockerfile.ignore import NOT_MATCHED, IgnoreMatcher
from img.domain.errors import ContextError
from img.domain.filesystem.changes import is_kept_xattr
from img.domain.filesystem.entry import (
    BLOCK,
    CHARACTER,
    DIRECTORY,
    FIFO,
    SOCKET,
    SYMLINK,
    Entry,
    EntryKind,
)

_TYPE = 0o170000
_KINDS: Mapping[int, EntryKind] = {
    0o020000: CHARACTER,
    0o060000: BLOCK,
    0o010000: FIFO,
    0o140000: SOCKET,
}
_REGULAR, _DIRECTORY, _SYMLINK = 0o100000, 0o040000, 0o120000

_NO_XATTRS: tuple[tuple[str, bytes], ...] = ()


class Found(NamedTuple):
    """A directory that is not listed yet."""

    path: str
    identity: tuple[int, int]  # device, inode
    state: int  # of the ignore patterns


Seen = tuple[str, int, int, int, int, int, int, int]
"""A regular file: path, mode, then as in FileStamp, and the number of its names."""


@dataclass(slots=True)
class Walk:
    """The result of one pass over a directory."""

    others: list[Entry] = field(default_factory=list)  # all except regular files; parents first
    files: list[Seen] = field(default_factory=list)  # regular files
    closed: dict[str, str] = field(default_factory=dict)  # unreadable directories, with the reason

    def fingerprint(self) -> str:
        """Return a digest of the walk, without reading any file."""
        import hashlib

        # Version 2 has no references, which depend on other uses of a string.
        seen = marshal.dumps(
            ([tuple(entry) for entry in self.others], self.files, sorted(self.closed.items())), 2
        )
        return hashlib.sha256(seen).hexdigest()

    def newest(self) -> int:
        """Return the latest ctime of a regular file, in nanoseconds; 0 without any."""
        return max((seen[6] for seen in self.files), default=0)


def stamp_of(status: os.stat_result) -> FileStamp:
    """Return the stamp that tells two states of a regular file apart."""
    return FileStamp(
        status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
    )


def walk(root: str, ignore: IgnoreMatcher | None) -> Walk:
    """Return the unignored files below ``root``. Raises ContextError, ContextFileChanged."""
    return _Walker(root, ignore).run()


def read_xattrs(path: str) -> tuple[tuple[str, bytes], ...]:
    """Return the attributes that belong in an image; none if attributes are unsupported."""
    try:
        names = os.listxattr(path, follow_symlinks=False)
        kept = sorted(name for name in names if is_kept_xattr(name))
        return tuple((name, os.getxattr(path, name, follow_symlinks=False)) for name in kept)
    except OSError:
        return _NO_XATTRS


class _Walker:
    def __init__(self, root: str, ignore: IgnoreMatcher | None) -> None:
        self._root = root
        self._ignore = ignore
        self._seen = Walk()
        self._numbers: dict[int, int] = {}
        self._hidden: dict[str, Entry] = {}  # excluded, but a file inside may be included

    def run(self) -> Walk:
        root = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._seen.others.append(_directory("", os.fstat(root), self._root))
            top = Found("", (0, 0), NOT_MATCHED)
            try:
                todo = self._list(top, root)
            except PermissionError as error:
                todo = self._close(top, error)
            while todo:
                todo += self._enter(todo.pop(), root)
        finally:
            os.close(root)
        return self._seen

    def _enter(self, directory: Found, root: int) -> list[Found]:
        # By the whole path, because one handle per level would be too many; if a directory on the
        # way was replaced by a link, the inode differs.
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            handle = os.open(directory.path, flags, dir_fd=root)
        except PermissionError as error:
            return self._close(directory, error)
        except OSError as error:
            _fail(directory.path, error)
        try:
            status = os.fstat(handle)
            if (status.st_dev, status.st_ino) != directory.identity:
                raise ContextFileChanged(directory.path)
            return self._list(directory, handle)
        except PermissionError as error:
            return self._close(directory, error)
        finally:
            os.close(handle)

    def _close(self, directory: Found, error: PermissionError) -> list[Found]:
        """Record an unreadable directory; the build may not need its content.

        BuildKit does not include files in an excluded directory that is unreadable either (fsutil,
        filter.go).
        """
        if directory.path not in self._hidden:
            self._seen.closed[directory.path] = (error.strerror or "").lower()
        return []

    def _list(self, directory: Found, handle: int) -> list[Found]:
        """Add the content of ``directory`` and return the directories in it.

        The most frequent loop of img: a context may have 10^5 files. Hence the plain tuples.
        """
        prefix = f"{directory.path}/" if directory.path else ""
        judge = self._ignore.excludes_child if self._ignore else None
        state = directory.state
        below: list[Found] = []
        files: list[Seen] = []
        others: list[Entry] = []
        add = files.append
        # One object for equal modes and devices, and for the times of a file that are equal: an
        # int takes 32 bytes.
        shared = self._numbers.setdefault
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
                    continue  # deleted since it was listed, as if before the walk
                except PermissionError:
                    raise  # the directory may be listed, but not entered
                except OSError as error:
                    _fail(path, error)
                mode = status.st_mode
                kind = mode & _TYPE
                if kind == _REGULAR:
                    add(
                        (
                            path,
                            shared(mode := mode & 0o7777, mode),
                            shared(device := status.st_dev, device),
                            status.st_ino,
                            status.st_size,
                            mtime := status.st_mtime_ns,
                            mtime if (ctime := status.st_ctime_ns) == mtime else ctime,
                            status.st_nlink,
                        )
                    )
                elif kind == _DIRECTORY:
                    others.append(_directory(path, status, f"{self._root}/{path}"))
                    below.append(Found(path, (status.st_dev, status.st_ino), state))
                elif kind == _SYMLINK:
                    others.append(_symlink(path, status, item.name, handle))
                elif kind in _KINDS:
                    others.append(_special(path, status, _KINDS[kind]))
        if files or others:
            self._reveal(directory.path)
            self._seen.files += files
            self._seen.others += others
        return below

    def _hide(self, path: str, item: "os.DirEntry[str]", state: int) -> list[Found]:
        """Return the excluded directory ``item`` if a file below may be included."""
        assert self._ignore is not None
        if not item.is_dir(follow_symlinks=False) or self._ignore.may_skip_directory(path, state):
            return []
        try:
            status = item.stat(follow_symlinks=False)
        except PermissionError:
            raise
        except OSError as error:
            _fail(path, error)
        self._hidden[path] = _directory(path, status, f"{self._root}/{path}")
        return [Found(path, (status.st_dev, status.st_ino), state)]

    def _reveal(self, directory: str) -> None:
        """Add the excluded directories on the way to an included file."""
        if not self._hidden:
            return
        chain = []
        while directory in self._hidden:
            chain.append(self._hidden.pop(directory))
            directory = directory.rpartition("/")[0]
        self._seen.others += reversed(chain)


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


def _special(path: str, status: os.stat_result, kind: EntryKind) -> Entry:
    device = (0, 0) if kind == FIFO else (os.major(status.st_rdev), os.minor(status.st_rdev))
    return Entry(path, kind, status.st_mode & 0o7777, mtime=status.st_mtime_ns, device=device)


def _fail(path: str, error: OSError) -> NoReturn:
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
        raise ContextFileChanged(path) from None
    raise ContextError(f"open {path}: {(error.strerror or '').lower()}") from error
