"""Files and directories of this user, and locks between processes."""

import errno
import fcntl
import os
import stat
from collections.abc import Callable
from types import TracebackType

_WITHOUT_LOCKS = frozenset((errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP))
PRIVATE_MODE = 0o700
READABLE_MODE = 0o755
UMASK_MODE = 0o777  # minus the umask


class NotOwn(PermissionError):
    """A name leads to a link, to a file of another kind, or to another user's file."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(errno.EPERM, reason, path)


class NoLocks(OSError):
    """The file system has no locks: Lustre without its mount option "flock", some FUSE ones."""


def open_own_file(path: str, flags: int, *, any_owner: bool = False) -> int:
    """Return a descriptor of a regular file of this user; ``flags`` may create it (mode 0600).

    Links are never followed, so another user with write access to the directory cannot redirect it.
    Raises NotOwn, OSError.
    """
    # Without O_NONBLOCK, opening a FIFO waits for a reader.
    flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    return _checked(_opened(path, flags), path, stat.S_ISREG, any_owner=any_owner)


def open_own_directory(path: str) -> int:
    """Return a descriptor of a directory of this user. Raises NotOwn, OSError."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    return _checked(_opened(path, flags), path, stat.S_ISDIR)


def make_directories(
    path: str, mode: int = PRIVATE_MODE, on_made: Callable[[str], None] = lambda _: None
) -> None:
    """Create the directory and its missing parents, each with ``mode``. Raises OSError.

    The umask applies to UMASK_MODE only. ``on_made`` gets the path of each new directory.
    """
    try:
        is_new = _made(path, mode)
    except FileNotFoundError:
        parent = os.path.dirname(os.path.abspath(path))
        if not os.path.isdir(parent):
            make_directories(parent, mode, on_made)
        # Also where the parent is there: another thread may have made it just now.
        is_new = _made(path, mode)
    if is_new:
        on_made(path)


def _made(path: str, mode: int) -> bool:
    """Create the directory; return False if it exists. Raises OSError."""
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
        return False
    if mode != UMASK_MODE:
        os.chmod(path, mode)
    return True


def _opened(path: str, flags: int) -> int:
    try:
        return os.open(path, flags, 0o600)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR) and os.path.islink(path):
            raise NotOwn(path, "it is a link") from None
        if error.errno == errno.ENXIO:  # a FIFO without a reader, or a socket
            raise NotOwn(path, "it is no regular file") from None
        raise


def _checked(
    descriptor: int, path: str, is_kind: Callable[[int], bool], *, any_owner: bool = False
) -> int:
    status = os.fstat(descriptor)
    if not is_kind(status.st_mode):
        reason = "it is no regular file"
    elif not any_owner and status.st_uid != os.geteuid():
        reason = f"it belongs to another user (uid {status.st_uid})"
    else:
        return descriptor
    os.close(descriptor)
    raise NotOwn(path, reason)


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Lock an open file without waiting; return False if another process has locked it.

    Closing the descriptor, in all processes that have it, releases the lock. Raises NoLocks,
    OSError.
    """
    try:
        wait_for_lock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait_for_lock(descriptor: int, how: int = fcntl.LOCK_EX) -> None:
    """Lock an open file, with ``LOCK_*`` of flock(2). Raises NoLocks, OSError."""
    try:
        fcntl.flock(descriptor, how)
    except OSError as error:
        if error.errno in _WITHOUT_LOCKS:
            raise NoLocks(error.errno, "its file system has no locks (flock)") from None
        raise


def is_locked(path: str) -> bool:
    """Tell whether another process has locked a file or directory; False if it cannot be opened."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not try_lock(descriptor)
    finally:
        os.close(descriptor)


def is_at(path: str, descriptor: int) -> bool:
    """Tell whether ``path`` itself, not the target of a link, is the open file."""
    try:
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


class Lock:
    """A lock on a file, between threads and between processes; a crash releases it.

    The file belongs to this user, unless ``any_owner`` is set. Each ``with`` needs its own
    instance.
    """

    def __init__(
        self, path: str, *, shared: bool = False, wait: bool = True, any_owner: bool = False
    ) -> None:
        self._path = path
        self._any_owner = any_owner
        self._how = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
        self._descriptor = -1

    def __enter__(self) -> "Lock":
        """Wait for the lock.

        Raises NotOwn, NoLocks, BlockingIOError if it is held and ``wait`` is False.
        """
        flags = os.O_RDWR | os.O_CREAT
        descriptor = open_own_file(self._path, flags, any_owner=self._any_owner)
        try:
            wait_for_lock(descriptor, self._how)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)
        self._descriptor = -1
