"""A directory of the host as entries: one pass of scandir and fstatat, no link followed."""

import errno
import hashlib
import marshal
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
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

_MANY = 2000  # files, in about 5 ms
_PACKED = struct.Struct("=32sQ")  # digest, newest
_NO_XATTRS: tuple[tuple[str, bytes], ...] = ()


class Found(NamedTuple):
    """A directory that is not listed yet."""

    path: str
    identity: tuple[int, int]  # device, inode
    state: int  # of the ignore patterns


Seen = tuple[str, int, int, int, int, int, int, int]
"""A regular file: path, mode, then as in FileStamp, and the number of its names."""


@dataclass(slots=True)
class Part:
    """The files of some directories."""

    others: list[Entry] = field(default_factory=list)  # all except regular files; parents first
    files: list[Seen] = field(default_factory=list)  # regular files
    closed: dict[str, str] = field(default_factory=dict)  # unreadable directories, with the reason

    def digest(self) -> bytes:
        """Return a digest of all that was seen."""
        # Version 2 has no references, which depend on other uses of a string.
        seen = marshal.dumps((self._rows(), self.files, sorted(self.closed.items())), 2)
        # OpenSSL's functions take locks, which is not possible after a fork.
        return hashlib.blake2b(seen, digest_size=32).digest()

    def newest(self) -> int:
        """Return the latest ctime of a regular file, in nanoseconds; 0 without any."""
        return max((seen[6] for seen in self.files), default=0)

    def pack(self) -> bytes:
        """Return the part as bytes, for a ``PackedPart``."""
        seen = marshal.dumps((self._rows(), self.files, self.closed))
        return _PACKED.pack(self.digest(), self.newest()) + seen

    def _rows(self) -> list[tuple[object, ...]]:
        return [tuple(entry) for entry in self.others]


class PackedPart:
    """A part that another process of this program has seen, as bytes until its files are needed."""

    def __init__(self, packed: bytes) -> None:
        self._packed = packed
        self._digest: bytes
        self._newest: int
        self._digest, self._newest = _PACKED.unpack_from(packed)

    def digest(self) -> bytes:
        """Return the digest of the part."""
        return self._digest

    def newest(self) -> int:
        """Return the latest ctime of a regular file, in nanoseconds; 0 without any."""
        return self._newest

    def unpack(self) -> Part:
        """Return the part."""
        others, files, closed = marshal.loads(memoryview(self._packed)[_PACKED.size :])
        return Part([Entry(*row) for row in others], files, closed)


class Walk:
    """The result of one pass over a directory."""

    def __init__(self, parts: Sequence[Part | PackedPart]) -> None:
        self._parts = parts

    def fingerprint(self) -> str:
        """Return a digest of the walk, without reading any file."""
        return hashlib.sha256(b"".join(part.digest() for part in self._parts)).hexdigest()

    def newest(self) -> int:
        """Return the latest ctime of a regular file, in nanoseconds; 0 without any."""
        return max(part.newest() for part in self._parts)

    def parts(self) -> Iterator[Part]:
        """Yield the parts; a directory is in the same part as its files or in an earlier one."""
        for part in self._parts:
            yield part if isinstance(part, Part) else part.unpack()


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
        self._seen = Part()
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
            while todo and not self._is_large(todo):
                todo += self._enter(todo.pop(), root)
            return Walk([self._seen, *self._rest(todo, root)])
        finally:
            os.close(root)

    def _is_large(self, todo: Sequence[Found]) -> bool:
        """Tell whether a fork, which takes a millisecond, is likely to be worth it."""
        # A hidden directory belongs to the first part that has a file below it.
        return len(self._seen.files) >= _MANY and len(todo) > 1 and not self._hidden

    def _rest(self, todo: Sequence[Found], root: int) -> Sequence[Part | PackedPart]:
        """Return the parts below ``todo``, which do not depend on the number of processes."""
        if not todo:
            return []
        from img.adapters.build_context import shared_work

        size = -(-len(todo) // shared_work.MOST_TASKS)
        tasks = [todo[at : at + size] for at in range(0, len(todo), size)]
        parts: dict[int, Part | PackedPart] = {}

        def walked(number: int) -> Part:
            return _Walker(self._root, self._ignore).part(tasks[number], root)

        def here(number: int) -> None:
            parts[number] = walked(number)

        there = shared_work.do(len(tasks), here, lambda number: walked(number).pack())
        parts.update((number, PackedPart(packed)) for number, packed in there.items())
        return [parts[number] for number in range(len(tasks))]

    def part(self, todo: Sequence[Found], root: int) -> Part:
        """Return the files below ``todo``."""
        found = [*todo]
        while found:
            found += self._enter(found.pop(), root)
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
