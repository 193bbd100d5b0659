"""Shared blobs in a directory of a network file system (NFS, Lustre, BeeGFS ...).

Each user has a folder: ``<directory>/<random name>/<algorithm>/<first two digits>/<digits>``. A
folder is found by its owner, so that no other user can take its name. Locks are not used: some of
these file systems have none, and others only between processes of one machine.
"""

import io
import os
import secrets
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO, cast

from img.adapters.linux.regular_files import open_regular
from img.adapters.shared_blobs.checking_stream import CheckingStream
from img.adapters.storage.own_files import make_directories
from img.application.ports.blob_store import BlobMismatch
from img.application.ports.shared_blobs import SharedBlobNotFound, SharedBlobs, SharedBlobsError
from img.domain.digest import Digest
from img.domain.oci.descriptor import Descriptor
from img.domain.options.cluster_store import DirectoryStore

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CHUNK = 1 << 20  # bytes
_FOLDER_MODE = 0o755  # workers of other users read the blobs
_BLOB_MODE = 0o444
_INCOMPLETE = ".incomplete-"
_ABANDONED_S = 24 * 3600  # age of an incomplete file of a process that was killed
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC


_Errors = Callable[[str], AbstractContextManager[None]]
"""Enters a context that turns OSError into the error of an action of the store."""


class DirectorySharedBlobs(SharedBlobs):
    """Blobs in folders of the users that added them.

    Blobs of other users are read, but do not count as added: their users can change them. A copy
    that was read to its end and has other bytes is skipped from then on, or deleted.
    """

    def __init__(self, place: DirectoryStore) -> None:
        """Look at the directory. Raises SharedBlobsError unless it is there and can be read."""
        self._place = place
        self._own = ""  # the name of the folder of this user, once it is known
        self._wrong: set[str] = set()  # paths of copies with other bytes
        self._lock = threading.Lock()
        with self._errors("read"):
            os.close(os.open(place.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))

    @property
    def name(self) -> str:
        return str(self._place)

    @property
    def repository(self) -> str:
        return ""

    def has(self, digest: Digest) -> bool:
        return any(self._sizes(digest))

    def add(self, blob: Descriptor, content: BinaryIO) -> None:
        with self._errors("written"):
            folder = self._own_folder()
            path = os.path.join(folder, _path_of(blob.digest))
            if path not in self._wrong and _size_of(path) == blob.size:
                return
            make_directories(os.path.dirname(path), _FOLDER_MODE)
            self._write(blob, content, path)
        self._wrong.discard(path)

    def open(self, blob: Descriptor, start: int) -> BinaryIO:
        for path, size in self._sizes(blob.digest):
            if size == blob.size:
                with suppress(OSError):
                    return self._opened(path, blob, start)
        raise SharedBlobNotFound(self.name, blob.digest)

    def _opened(self, path: str, blob: Descriptor, start: int) -> BinaryIO:
        file = open(open_regular(path, follow=False), "rb")  # noqa: SIM115 (closed by the caller)
        if start:
            file.seek(start)
            return file
        stream = _Copy(blob, file, lambda: self._note_wrong(path), self._errors)
        return cast(BinaryIO, io.BufferedReader(stream, _CHUNK))

    def _note_wrong(self, path: str) -> None:
        """Skip the copy from now on; one of this user is deleted, so that others add it again."""
        self._wrong.add(path)
        with suppress(OSError):
            if os.lstat(path).st_uid == os.geteuid():
                os.unlink(path)

    def _sizes(self, digest: Digest) -> Iterator[tuple[str, int]]:
        """Yield path and size of each copy that is not known to be wrong."""
        # An opened directory is looked up again: NFS remembers for a while which names are absent.
        with self._errors("read"):
            names = sorted(os.listdir(self._place.path))
        for name in sorted(names, key=lambda each: each != self._own):
            path = os.path.join(self._place.path, name, _path_of(digest))
            with suppress(OSError):
                os.close(os.open(os.path.dirname(path), _DIRECTORY))
            size = _size_of(path)
            if size is not None and path not in self._wrong:
                yield path, size

    def _own_folder(self) -> str:
        """Return the path of the folder of this user; make it if there is none. Raises OSError."""
        with self._lock:
            if not self._own:
                self._own = self._found() or self._made()
            return os.path.join(self._place.path, self._own)

    def _found(self) -> str:
        with os.scandir(self._place.path) as entries:
            names = [entry.name for entry in entries if _is_own(entry.stat(follow_symlinks=False))]
        return min(names, default="")

    def _made(self) -> str:
        name = secrets.token_hex(8)
        path = os.path.join(self._place.path, name)
        os.mkdir(path, 0o700)
        os.chmod(path, _FOLDER_MODE)
        if not _is_own(os.lstat(path)):
            os.rmdir(path)
            raise SharedBlobsError(
                f"the cluster store {self.name} cannot be used: a new directory in it belongs to "
                f"another user than the process",
                hint="run the worker as a user that the file server knows (root_squash)",
            )
        return name

    def _write(self, blob: Descriptor, content: BinaryIO, path: str) -> None:
        directory, name = os.path.split(path)
        parent = os.open(directory, _DIRECTORY)
        temporary = f"{_INCOMPLETE}{secrets.token_hex(8)}"
        try:
            _remove_abandoned(parent)
            file = os.open(temporary, _NEW_FILE, 0o600, dir_fd=parent)
            try:
                with open(file, "wb", buffering=0) as written:
                    checked = CheckingStream(blob, content)
                    while data := checked.read(_CHUNK):
                        written.write(data)
                    os.fchmod(file, _BLOB_MODE)
                    os.fsync(file)
                os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
            except BaseException:
                with suppress(OSError):
                    os.unlink(temporary, dir_fd=parent)
                raise
            # The name is not synced: a blob that is lost with the power is made again.
        finally:
            os.close(parent)

    @contextmanager
    def _errors(self, action: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise SharedBlobsError(
                f"the cluster store {self.name} cannot be {action}: there is no {error.filename}",
                hint="create the directory, and mount it at this path on every machine",
            ) from None
        except OSError as error:
            raise SharedBlobsError(
                f"the cluster store {self.name} cannot be {action}: {error.strerror or error}",
                hint="check the free space and the permissions of the directory",
            ) from None


class _Copy(CheckingStream):
    """A copy of a blob; ``on_wrong`` is called if it has other bytes."""

    def __init__(
        self, blob: Descriptor, file: BinaryIO, on_wrong: Callable[[], None], errors: _Errors
    ) -> None:
        super().__init__(blob, file)
        self._file = file
        self._on_wrong = on_wrong
        self._errors = errors

    def readinto(self, buffer: "WriteableBuffer") -> int:
        try:
            with self._errors("read"):
                return super().readinto(buffer)
        except BlobMismatch:
            self._on_wrong()
            raise

    def close(self) -> None:
        self._file.close()
        super().close()


def _path_of(digest: Digest) -> str:
    return f"{digest.algorithm}/{digest.encoded[:2]}/{digest.encoded}"


def _size_of(path: str) -> int | None:
    with suppress(OSError):
        status = os.lstat(path)
        if stat.S_ISREG(status.st_mode):
            return status.st_size
    return None


def _is_own(status: os.stat_result) -> bool:
    """Tell whether it is a directory of this user that others cannot write to."""
    return (
        stat.S_ISDIR(status.st_mode)
        and status.st_uid == os.geteuid()
        and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )


def _remove_abandoned(parent: int) -> None:
    now = time.time()
    for name in os.listdir(parent):
        if name.startswith(_INCOMPLETE):
            with suppress(OSError):
                if (
                    now - os.stat(name, dir_fd=parent, follow_symlinks=False).st_mtime
                    > _ABANDONED_S
                ):
                    os.unlink(name, dir_fd=parent)
