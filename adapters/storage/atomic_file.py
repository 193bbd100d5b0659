"""Files that appear under their names only when they are complete."""

import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterable
from typing import NoReturn

from img.adapters.storage.own_files import (
    PRIVATE_MODE,
    NoLocks,
    NotOwn,
    make_directories,
    open_own_directory,
)
from img.application.ports.blob_store import StoreFull
from img.domain.errors import StateError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_UNWRITABLE = {errno.EROFS, errno.EACCES, errno.EPERM}
# Age after which a temporary file is abandoned: its process was killed.
_ABANDONED_S = 24 * 3600


class NewFile:
    """A file without a name in ``directory``, which is published complete or not at all.

    The kernel frees its blocks when the process dies (open(2), O_TMPFILE). On file systems without
    O_TMPFILE it is a named file in ``temp_dir``, which must be on the same file system. Missing
    directories are created with the mode ``directory_mode``. Not for several threads at a time. All
    methods raise StoreFull or StateError.
    """

    def __init__(
        self, directory: str, temp_dir: str, *, directory_mode: int = PRIVATE_MODE
    ) -> None:
        self._directory = directory
        self._directory_mode = directory_mode
        self._temp_dir = temp_dir
        self._fd = -1
        self._path = ""  # "" while the file has no name
        try:
            self._open()
        except OSError as error:
            raise_state_error(error, directory)

    @property
    def descriptor(self) -> int:
        """Return the descriptor of the open file, -1 once it is closed."""
        return self._fd

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Append all of ``data``; return its length in bytes."""
        left = memoryview(data).cast("B")
        length = len(left)
        try:
            while left:
                left = left[os.write(self._fd, left) :]
        except OSError as error:
            raise_state_error(error, self._directory)
        return length

    def publish(self, name: str) -> None:
        """Make the file durable, then visible as ``name``, then the name durable; close it.

        An existing file of that name stays.
        """
        try:
            self._finish()
            with contextlib.suppress(FileExistsError):
                self._link(os.path.join(self._directory, name))
            sync_directory(self._directory)
        except OSError as error:
            raise_state_error(error, self._directory)
        finally:
            self.discard()

    def replace(self, name: str) -> None:
        """Publish the file as ``publish`` does, but replace an existing file of that name."""
        try:
            self._finish()
            try:
                self._link(os.path.join(self._directory, name))
            except FileExistsError:
                self._rename_over(os.path.join(self._directory, name))
            sync_directory(self._directory)
        except OSError as error:
            raise_state_error(error, self._directory)
        finally:
            self.discard()

    def discard(self) -> None:
        """Close the file, and delete it unless it was published. Idempotent."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
        path, self._path = self._path, ""
        if path:
            with contextlib.suppress(OSError):
                os.unlink(path)

    def _open(self) -> None:
        make_durable_directories(self._directory, self._directory_mode)
        self._fd = open_nameless(self._directory, 0o600)
        if self._fd < 0:
            self._open_named()

    def _open_named(self) -> None:
        path = self._temp_path()
        self._fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        self._path = path

    def _temp_path(self) -> str:
        """Return the path of a new temporary file; delete abandoned ones beside it."""
        temp_dir = _own_temp_dir(self._temp_dir)
        return os.path.join(temp_dir, f"{os.getpid()}.{time.monotonic_ns()}")

    def _finish(self) -> None:
        os.fchmod(self._fd, 0o644)
        os.fsync(self._fd)

    def _rename_over(self, target: str) -> None:
        if not self._path:  # only rename(2) replaces files, and it needs a name
            stand_in = self._temp_path()
            self._link(stand_in)
            self._path = stand_in
        os.rename(self._path, target)
        self._path = ""

    def _link(self, target: str) -> None:
        if self._path:
            move_to_new(self._path, target)
            self._path = ""
            return
        give_name(self._fd, target)


def write_file(directory: str, name: str, content: Iterable[bytes], temp_dir: str) -> None:
    """Write the parts of ``content`` to the file ``name`` in ``directory``, atomically and durably.

    Raises StoreFull, StateError.
    """
    file = NewFile(directory, temp_dir)
    try:
        for part in content:
            file.write(part)
        file.replace(name)
    finally:
        file.discard()


def open_nameless(directory: str, mode: int) -> int:
    """Return a new file without a name in ``directory`` (open(2), O_TMPFILE), -1 if unsupported."""
    # Without /proc the file could never get a name (linkat(2)).
    if os.path.isdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            return os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, mode)
    return -1


def give_name(descriptor: int, path: str) -> None:
    """Give a nameless file the name ``path``. Raises FileExistsError, OSError."""
    directory = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # Python calls linkat(2) with AT_SYMLINK_FOLLOW only if a directory is given.
        os.link(
            f"/proc/self/fd/{descriptor}",
            os.path.basename(path),
            dst_dir_fd=directory,
            follow_symlinks=True,
        )
    finally:
        os.close(directory)


def make_durable_directories(path: str, mode: int = PRIVATE_MODE) -> None:
    """Create the directory and its missing parents, each durable. Raises OSError."""
    make_directories(path, mode, lambda made: sync_directory(os.path.dirname(made) or "."))


def move_to_new(path: str, target: str) -> None:
    """Rename the file at ``path`` to ``target``. Raises FileExistsError, OSError."""
    try:
        os.link(path, target)
    except FileExistsError:
        raise
    # no hard links here; two processes at once may both rename, mostly the same bytes
    except OSError:
        if os.path.exists(target):
            raise FileExistsError(target) from None
        os.rename(path, target)
    else:
        os.unlink(path)


def sync_directory(path: str) -> None:
    """Make the names in the directory durable. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def raise_state_error(error: OSError, path: str) -> NoReturn:
    """Raise the StateError that describes ``error`` for the state at ``path``."""
    if isinstance(error, NoLocks):
        raise StateError(
            f"the state cannot be used: {path}: {error.strerror}",
            hint="choose a state directory on a local disk with --state",
        ) from None
    reason = error.strerror or str(error)
    if error.errno in _FULL:
        raise StoreFull(
            f"no space left to store anything in {path}: {reason}",
            hint="free some space (`img prune`), or choose another state directory with --state",
        ) from error
    if error.errno in _UNWRITABLE:
        raise StateError(
            f"the state cannot be written: {_not_writable(path)}: {reason}",
            hint="choose a state directory of your own with --state",
        ) from error
    raise StateError(f"the state cannot be used: {path}: {reason}") from error


def _not_writable(path: str) -> str:
    """Return the part of ``path`` that could not be created, or ``path``."""
    while path != "/" and not os.path.lexists(os.path.dirname(path)):
        path = os.path.dirname(path)
    return path


def _own_temp_dir(temp_dir: str) -> str:
    """Return a directory of this user for temporary files, without files of killed processes.

    It is ``temp_dir``, unless that is another user's directory or a link, which an unpacked archive
    or another user of the directory may have put there.
    """
    with contextlib.suppress(NotOwn):
        return _swept(temp_dir)
    return _swept(own_name(temp_dir))


def own_name(temp_dir: str) -> str:
    """Return the name to use if ``temp_dir`` is not this user's."""
    return f"{temp_dir}-{os.geteuid()}"


def _swept(temp_dir: str) -> str:
    make_directories(temp_dir)
    descriptor = open_own_directory(temp_dir)
    try:
        _remove_abandoned(descriptor)
    finally:
        os.close(descriptor)
    return temp_dir


def _remove_abandoned(temp_dir: int) -> None:
    now = time.time()
    with os.scandir(temp_dir) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode) and now - status.st_mtime > _ABANDONED_S:
                    os.unlink(entry.name, dir_fd=temp_dir)
