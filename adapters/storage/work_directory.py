"""Directories that belong to a process as long as it lives."""

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator

from img.adapters.linux import capabilities
from img.adapters.storage.own_files import NotOwn, is_at, open_own_directory, try_lock

_LONG = 2048  # characters: a name of 255 bytes more stays below PATH_MAX
_UNREADABLE = {errno.ENOENT, errno.EACCES, errno.EMFILE, errno.ENOTDIR}


class WorkDirectory:
    """A directory with a lock that its process holds; without the lock it was left by a crash."""

    def __init__(self, path: str, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def create(cls, parent: str, *, prefix: str = "") -> "WorkDirectory":
        """Return a new, empty directory in ``parent``."""
        while True:
            path = f"{parent}/{prefix}{os.urandom(8).hex()}"
            os.mkdir(path, 0o700)
            # None if another process swept the directory between the two calls.
            with contextlib.suppress(FileNotFoundError):
                if (directory := cls._claimed(path)) is not None:
                    return directory

    @classmethod
    def claim(cls, path: str) -> "WorkDirectory | None":
        """Return the directory at ``path`` if it is this user's and no process holds its lock.

        Links, other files and directories of other users are left alone.
        """
        try:
            return cls._claimed(path)
        except (FileNotFoundError, NotADirectoryError, NotOwn):
            return None

    @classmethod
    def _claimed(cls, path: str) -> "WorkDirectory | None":
        descriptor = open_own_directory(path)
        try:
            if try_lock(descriptor) and is_at(path, descriptor):
                return cls(path, descriptor)
        except BaseException:  # also a file system without locks
            os.close(descriptor)
            raise
        os.close(descriptor)
        return None

    def move(self, path: str) -> None:
        """Rename the directory; it still belongs to this process."""
        os.rename(self.path, path)
        self.path = path

    def release(self) -> None:
        """Release the lock, so that other processes may use or sweep the directory. Idempotent."""
        if self._descriptor >= 0:
            # Not only closed: a process that was forked meanwhile has the descriptor too.
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            os.close(self._descriptor)
            self._descriptor = -1

    def remove(self) -> None:
        """Delete the directory with its content. Idempotent; does nothing after ``release``."""
        if self._descriptor >= 0:
            _empty(self._descriptor, self.path)
            with contextlib.suppress(FileNotFoundError):
                os.rmdir(self.path)
            self.release()


def sweep(parent: str) -> None:
    """Delete the directories of crashed processes in ``parent``."""
    for name in os.listdir(parent):
        if (leftover := WorkDirectory.claim(f"{parent}/{name}")) is not None:
            leftover.remove()


def remove_tree(path: str) -> None:
    """Delete a directory of any depth and width; a missing one is no error.

    Raises NotOwn for a link and for another user's directory.
    """
    try:
        descriptor = open_own_directory(path)
    except FileNotFoundError:
        return
    try:
        _empty(descriptor, path)
    finally:
        os.close(descriptor)
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(path)


def _empty(descriptor: int, path: str) -> None:
    """Delete the content of the open directory, which was at ``path`` and may have moved."""
    by_descriptor = f"/proc/self/fd/{descriptor}"
    top = by_descriptor if os.path.isdir(by_descriptor) else path
    is_open = capabilities.may_enter_any_directory()
    pending = [(top, False)]
    while pending:
        directory, is_empty = pending.pop()
        with contextlib.suppress(FileNotFoundError):
            if not is_empty:
                pending.append((directory, True))  # once the directories in it are gone
                for each in _only_directories(directory, top, is_open):
                    pending.append((each, False))
            elif directory != top:
                os.rmdir(directory)


def _only_directories(directory: str, top: str, is_open: bool) -> Iterator[str]:
    """Delete the other files in ``directory``, and yield the paths of the directories in it.

    Their modes are changed unless ``is_open``: this process may enter them as they are.

    A step may nest them deeper than PATH_MAX: from a long path they are moved up to ``top``.
    """
    with os.scandir(directory) as entries:
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)
                continue
            if not is_open:
                os.chmod(entry.path, 0o700)
            place = entry.path
            if len(place) > _LONG:
                place = f"{top}/.img-{os.urandom(8).hex()}"
                os.rename(entry.path, place)
            yield place


def publish(source: str, target: str) -> bool:
    """Rename the directory ``source`` to ``target``; return False if that exists already."""
    try:
        os.rename(source, target)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
        return False
    return True


def bytes_below(path: str) -> int:
    """Return the disk usage of ``path`` and all below it in bytes; hard links count once.

    Directories that cannot be read, or lie too deep for open descriptors, count as empty.
    """
    total = 0
    seen: set[int] = set()
    pending: list[tuple[str, _Held | None]] = [(path, None)]
    while pending:
        directory, held = pending.pop()
        with contextlib.ExitStack() as stack:
            try:
                if len(directory) > _LONG:  # a step may nest deeper than PATH_MAX
                    held = _Held(directory)
                    directory = held.path
                entries = stack.enter_context(os.scandir(directory))
            except OSError as error:
                if error.errno not in _UNREADABLE:
                    raise
                continue
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                if status.st_ino not in seen:
                    seen.add(status.st_ino)
                    total += status.st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    pending.append((entry.path, held))
    return total


class _Held:
    """A directory kept open while paths start with its descriptor."""

    def __init__(self, path: str) -> None:
        self._descriptor = -1
        flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(path, flags)
        self.path = f"/proc/self/fd/{self._descriptor}"

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
