"""Build contexts in directories of this machine."""

import errno
import gc
import hashlib
import io
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from img.adapters.build_context.context_walk import Seen, Walk, stamp_of, walk
from img.adapters.linux.buffers import CHUNK
from img.adapters.linux.regular_files import LinkLeadsOut, read_inside
from img.adapters.storage.trace_questions import COARSE_TICK_NS, is_racy
from img.application.ports.build_context import (
    LARGEST_DOCKERFILE,
    BuildContext,
    ContextFileChanged,
    FileTooLarge,
)
from img.application.ports.file_digest_store import FileDigestStore, FileStamp, KnownFile
from img.domain.dockerfile.ignore import IgnoreMatcher
from img.domain.errors import ContextError
from img.domain.filesystem.tree import FileTree

# O_NONBLOCK: a FIFO that replaced a file must not block.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_READERS = min(4, os.cpu_count() or 1)
_CHUNK = 256  # files per task of a thread


class DirectoryContext(BuildContext):
    """The files below ``root``. A file that has not changed since it was last read is only stat'ed.

    ``name`` is the directory in messages; with ``lasts`` later builds use it too. The tree is that
    of the first call to tree(); opening a file that has changed since then raises
    ContextFileChanged.
    """

    def __init__(
        self,
        root: Path,
        *,
        known: FileDigestStore,
        ignore: IgnoreMatcher | None = None,
        name: str | None = None,
        lasts: bool = False,
    ) -> None:
        self._root = os.path.abspath(root)
        self._name = name or os.fspath(root)
        self._lasts = lasts
        self._store = known
        self._ignore = ignore
        self._lock = threading.Lock()
        self._handle = _open_root(self._root, self._name)
        self._walk: Walk | None = None  # until tree() is called
        self._fingerprint: str | None = None
        self._files: Mapping[str, Seen] = {}
        self._tree: FileTree | None = None
        self._gone: AbstractSet[str] = frozenset()  # known files that do not exist any more
        self._racy: set[str] = set()
        self._unchecked: set[str] = set()  # opened, and perhaps changed while they were read
        self._settled = 0  # no file with an older ctime is racy

    def close(self) -> None:
        """Close the directory. Idempotent."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def __del__(self) -> None:
        if getattr(self, "_handle", -1) >= 0:
            self.close()

    def fingerprint(self) -> str | None:
        with self._lock, _no_collection():
            if self._tree is None:
                self._walked()
            return self._fingerprint

    def place(self) -> str | None:
        return self._root if self._lasts else None

    def tree(self) -> FileTree:
        with self._lock, _no_collection():
            if self._tree is None:
                # no cached step needs it
                from img.adapters.build_context.walked_tree import WalkedTree

                tree = WalkedTree(self._walked(), self._store.load(self._root), self._root)
                self._tree, self._files, self._gone = tree, tree.files, tree.gone
                self._walk = None
            return self._tree

    def open(self, path: str) -> BinaryIO:
        """Return the content; that of a file below 1 MiB is read and checked at once."""
        seen = self._files.get(path) or self._seen(path)
        if seen[4] < CHUNK and (data := self._read_small(seen)) is not None:
            return io.BytesIO(data)
        handle = self._open(path, _stamp(seen))
        self._unchecked.add(path)
        return open(handle, "rb", buffering=0)

    def read_digests(self, paths: Iterable[str]) -> Mapping[str, str]:
        wanted = list(paths)
        digests: dict[str, str] = {}
        if len(wanted) <= _CHUNK:
            return self._digest_all(wanted)
        from concurrent.futures import ThreadPoolExecutor

        chunks = [wanted[i : i + _CHUNK] for i in range(0, len(wanted), _CHUNK)]
        with ThreadPoolExecutor(_READERS, thread_name_prefix="context") as readers:
            for part in readers.map(self._digest_all, chunks):
                digests.update(part)
        return digests

    def remember(self, digests: Iterable[tuple[str, str]]) -> None:
        fresh = self._fresh(digests)
        if first := next(fresh, None):
            self._store.save(self._root, chain((first,), fresh), self._gone)

    def read_file(self, path: str) -> bytes | None:
        try:
            return read_inside(self._handle, path, LARGEST_DOCKERFILE)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, LinkLeadsOut):
            return None
        except OSError as error:
            if error.errno == errno.EFBIG:
                raise FileTooLarge(path) from None
            raise _unreadable(path, error) from error

    def _walked(self) -> Walk:
        if self._walk is None:
            at = time.time_ns()
            self._take(walk(self._root, self._ignore), at)
        assert self._walk is not None
        return self._walk

    def _take(self, seen: Walk, at: int) -> None:
        """Use the walk ``seen`` of this directory that began ``at`` that time, in nanoseconds."""
        self._walk = seen
        self._settled = at - COARSE_TICK_NS
        self._fingerprint = None if is_racy(seen.newest(), at) else seen.fingerprint()

    def _seen(self, path: str) -> Seen:
        if self._tree is None:
            self.tree()
        seen = self._files.get(path)
        if seen is None:
            raise ContextError(f"{path}: no such file in the build context {self._name}")
        return seen

    def _fresh(self, digests: Iterable[tuple[str, str]]) -> Iterator[tuple[str, KnownFile]]:
        """Yield those of the files that the store lacks and that have not changed since."""
        entry_of, files, make = self.tree().get, self._files, tuple.__new__
        doubtful = self._unchecked | self._racy
        for path, digest in digests:
            entry = entry_of(path)
            if entry is None or entry[10] == digest:
                continue
            stamp = make(FileStamp, files[path][2:7])
            if path in doubtful and (path in self._racy or not self._is_still(path, stamp)):
                continue
            yield path, make(KnownFile, (stamp, digest, entry[9]))

    def _read_small(self, seen: Seen) -> bytes | None:
        """Return the content of a file of the walk, None if a read was short.

        The file is checked only after reading: its inode and times are the same only if the walk
        saw this file and nothing changed it since. Copying 10^5 files spends most of its time here.
        """
        path, _, device, inode, size, mtime, ctime, _ = seen
        if ctime > self._settled and is_racy(ctime, time.time_ns()):
            self._racy.add(path)
        try:
            handle = os.open(path, _READ, dir_fd=self._handle)
            try:
                # One byte more detects a file that has grown.
                data = os.read(handle, size + 1)
                status = os.fstat(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise _unreadable(path, error) from error
        if (
            status.st_ino != inode
            or status.st_ctime_ns != ctime
            or status.st_mtime_ns != mtime
            or status.st_size != size
            or status.st_dev != device
        ):
            raise ContextFileChanged(path)
        return data if len(data) == size else None

    def _open(self, path: str, stamp: FileStamp) -> int:
        """Return a descriptor of the file that the walk saw at ``path``."""
        now = time.time_ns()
        try:
            handle = os.open(path, _READ, dir_fd=self._handle)
        except OSError as error:
            raise _unreadable(path, error) from error
        if stamp_of(os.fstat(handle)) != stamp:
            os.close(handle)
            raise ContextFileChanged(path)
        if is_racy(stamp.ctime_ns, now):
            self._racy.add(path)
        return handle

    def _digest_all(self, paths: list[str]) -> dict[str, str]:
        return {path: self._digest(self._seen(path)) for path in paths}

    def _digest(self, seen: Seen) -> str:
        if seen[4] < CHUNK and (data := self._read_small(seen)) is not None:
            return hashlib.sha256(data).hexdigest()
        path, stamp = seen[0], _stamp(seen)
        handle = self._open(path, stamp)
        try:
            read = hashlib.sha256()
            while block := os.read(handle, min(CHUNK, stamp.size + 1)):
                read.update(block)
            if stamp_of(os.fstat(handle)) != stamp:
                raise ContextFileChanged(path)
            return read.hexdigest()
        except OSError as error:
            raise _unreadable(path, error) from error
        finally:
            os.close(handle)

    def _is_still(self, path: str, stamp: FileStamp) -> bool:
        try:
            status = os.stat(path, dir_fd=self._handle, follow_symlinks=False)
        except OSError:
            return False
        return stamp_of(status) == stamp


def _stamp(seen: Seen) -> FileStamp:
    return FileStamp._make(seen[2:7])


@contextmanager
def _no_collection() -> Iterator[None]:
    """Stop Python's garbage collector from scanning 10^5 new tuples repeatedly: a third faster."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _open_root(root: str, name: str) -> int:
    try:
        return os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ContextError(
            f'unable to prepare context: path "{name}" not found',
            hint="the last argument is the directory whose files COPY may read, often just .",
        ) from None
    except NotADirectoryError:
        raise ContextError(
            f'unable to prepare context: "{name}" is not a directory',
            hint="name the directory that holds the Dockerfile; -f names the Dockerfile itself",
        ) from None
    except OSError as error:
        raise ContextError(
            f'unable to prepare context: "{name}": {(error.strerror or "").lower()}'
        ) from error


def _unreadable(path: str, error: OSError) -> ContextError:
    if error.errno in (
        errno.ENOENT,
        errno.ENOTDIR,
        errno.ELOOP,
        errno.ENXIO,
        errno.EAGAIN,  # of a FIFO
        errno.EISDIR,
    ):
        return ContextFileChanged(path)
    hint = None
    if error.errno == errno.EACCES:
        hint = "make it readable, or leave it out with .dockerignore"
    return ContextError(f"open {path}: {(error.strerror or '').lower()}", hint=hint)
