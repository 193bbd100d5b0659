"""Partial blobs, which several processes may complete one after the other."""

import contextlib
import os
import time
from collections.abc import Iterator

from img.adapters.linux.buffers import CHUNK
from img.adapters.storage.atomic_file import raise_state_error, sync_directory
from img.adapters.storage.own_files import (
    PRIVATE_MODE,
    is_at,
    make_directories,
    open_own_file,
    try_lock,
)
from img.application.ports.blob_store import BlobMismatch, IncomingBlob, Waiting
from img.domain.digest import Digest

_POLL_S = 0.05
_ABANDONED_S = 24 * 3600  # a part of that age will not be continued


class IncomingFile(IncomingBlob):
    """A locked file with a part of a blob, named by the digest of the whole.

    An existing part is not trusted: all of it is hashed again, and the digest of the whole has to
    match.
    """

    def __init__(
        self, descriptor: int, path: str, digest: Digest, target: str, directory_mode: int
    ) -> None:
        self._directory_mode = directory_mode
        self._descriptor = descriptor
        self._path = path
        self._digest = digest
        self._target = target
        self._size = os.fstat(descriptor).st_size
        self._hash = digest.new_hash()
        self._hashed = 0

    @property
    def size(self) -> int:
        return self._size

    def stored(self) -> Iterator[bytes]:
        offset = 0
        while chunk := self._read(offset):
            if offset == self._hashed:
                self._take(chunk)
            offset += len(chunk)
            yield chunk

    def write(self, data: bytes | memoryview) -> int:
        self._hash_rest()
        left = memoryview(data).cast("B")
        length = len(left)
        try:
            while left:
                written = os.pwrite(self._descriptor, left, self._size)
                self._take(left[:written])
                self._size += written
                left = left[written:]
        except OSError as error:
            raise_state_error(error, self._path)
        return length

    def restart(self) -> None:
        try:
            os.ftruncate(self._descriptor, 0)
        except OSError as error:
            raise_state_error(error, self._path)
        self._size = self._hashed = 0
        self._hash = self._digest.new_hash()

    def check(self) -> None:
        self._hash_rest()
        actual = Digest(self._digest.algorithm, self._hash.hexdigest())
        if actual != self._digest:
            self.restart()
            raise BlobMismatch(self._digest, actual)

    def commit(self) -> None:
        self.check()
        directory = os.path.dirname(self._target)
        try:
            make_directories(directory, self._directory_mode)
            os.fchmod(self._descriptor, 0o644)
            os.utime(self._descriptor)  # the time of storing, not of the last byte
            os.fsync(self._descriptor)
            os.rename(self._path, self._target)
            sync_directory(directory)
        except OSError as error:
            raise_state_error(error, self._target)

    def _hash_rest(self) -> None:
        while self._hashed < self._size:
            chunk = self._read(self._hashed)
            if not chunk:
                return  # the file was truncated: the digest will not match
            self._take(chunk)

    def _take(self, chunk: bytes | memoryview) -> None:
        self._hash.update(chunk)
        self._hashed += len(chunk)

    def _read(self, offset: int) -> bytes:
        try:
            return os.pread(self._descriptor, min(CHUNK, self._size - offset), offset)
        except OSError as error:
            raise_state_error(error, self._path)


@contextlib.contextmanager
def incoming_file(
    folder: str,
    digest: Digest,
    target: str,
    waiting: Waiting,
    directory_mode: int = PRIVATE_MODE,
) -> Iterator[IncomingFile]:
    """Enter with the locked part of ``digest`` in ``folder``; ``target`` is the path of the whole.

    Raises StoreFull, StateError, UnsupportedDigest.
    """
    digest.new_hash()  # before there is a file of that name
    path = os.path.join(folder, f"{digest.algorithm}-{digest.encoded}")
    try:
        make_directories(folder)
        _sweep(folder, _ABANDONED_S)
        descriptor = _locked(path, waiting)
    except OSError as error:
        raise_state_error(error, path)
    try:
        yield IncomingFile(descriptor, path, digest, target, directory_mode)
    finally:
        # Still locked: an empty file is of no use later.
        if is_at(path, descriptor) and not os.fstat(descriptor).st_size:
            with contextlib.suppress(OSError):
                os.unlink(path)
        os.close(descriptor)


def remove_parts(folder: str) -> None:
    """Delete all parts that no process has locked."""
    with contextlib.suppress(FileNotFoundError):
        _sweep(folder, 0)


def _locked(path: str, waiting: Waiting) -> int:
    """Return a descriptor of the file at ``path``, locked by this process."""
    while True:
        descriptor = open_own_file(path, os.O_RDWR | os.O_CREAT)
        try:
            while not try_lock(descriptor):
                from img.application.cancellation import pause  # most commands never wait

                waiting(os.fstat(descriptor).st_size)
                pause(_POLL_S)
            if is_at(path, descriptor):  # otherwise it was committed or removed meanwhile
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _sweep(folder: str, older_than_s: int) -> None:
    now = time.time()
    with os.scandir(folder) as names:
        for name in names:
            with contextlib.suppress(OSError):
                if now - name.stat(follow_symlinks=False).st_mtime >= older_than_s:
                    _remove_unlocked(name.path)


def _remove_unlocked(path: str) -> None:
    descriptor = open_own_file(path, os.O_RDWR)
    try:
        if try_lock(descriptor) and is_at(path, descriptor):
            os.unlink(path)
    finally:
        os.close(descriptor)
