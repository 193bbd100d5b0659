"""Mount points that are missing in a root: created for the duration of a step."""

import errno
import os
import stat
from collections.abc import Callable, Sequence

from img.adapters.executor.reports import MountPoint
from img.adapters.linux import syscalls
from img.adapters.storage import owner_records

_MOST_LINKS = 40  # the kernel's limit
_DIRECTORY_MODE = 0o755
_FILE_MODE = 0o644
_MOST_TEXT = 1 << 20  # bytes


class MountPoints:
    """Finds mount points inside a root, without following links out of it; creates missing ones."""

    def __init__(self, root: int, on_created: Callable[[MountPoint], None]) -> None:
        """Work in the O_PATH descriptor ``root``; call ``on_created`` with each new mount point."""
        self._root = root
        self._device = os.fstat(root).st_dev
        self._on_created = on_created

    def open(self, target: str, *, directory: bool) -> int:
        """Return an O_PATH descriptor of ``target``; create it as an empty directory or file."""
        try:
            return syscalls.openat2(self._root, target, os.O_PATH)
        except FileNotFoundError:
            return self._open_missing(target, directory=directory)

    def _open_missing(self, target: str, *, directory: bool) -> int:
        todo = _parts(target)[::-1]
        done = ""
        links = 0
        while todo:
            part = todo.pop()
            if part == "..":
                done = os.path.dirname(done)
                continue
            here = f"{done}/{part}" if done else part
            link = self._link_or_make(here, directory=directory or bool(todo))
            if link is None:
                done = here
                continue
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), target)
            if link.startswith("/"):
                done = ""
            todo += _parts(link)[::-1]
        return syscalls.openat2(self._root, done or ".", os.O_PATH)

    def _link_or_make(self, path: str, *, directory: bool) -> str | None:
        try:
            found = syscalls.openat2(self._root, path, os.O_PATH | os.O_NOFOLLOW)
        except FileNotFoundError:
            self._make(path, directory=directory)
            return None
        try:
            if stat.S_ISLNK(os.fstat(found).st_mode):
                return os.readlink("", dir_fd=found)
            return None
        finally:
            os.close(found)

    def _make(self, path: str, *, directory: bool) -> None:
        parent, name = os.path.split(path)
        where = syscalls.openat2(self._root, parent or ".", os.O_RDONLY | os.O_DIRECTORY)
        try:
            before = os.fstat(where)
            if directory:
                os.mkdir(name, _DIRECTORY_MODE, dir_fd=where)
            else:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                os.close(os.open(name, flags, _FILE_MODE, dir_fd=where))
            _restore_times(where, before)
            if before.st_dev == self._device:  # not in a mount that came before
                made = os.stat(name, dir_fd=where, follow_symlinks=False)
                self._on_created(MountPoint(path, directory, made.st_mtime_ns, made.st_ino))
        finally:
            os.close(where)


def text_in(root: int, path: str) -> str:
    """Return the text of a regular file inside a root, "" if there is none."""
    try:
        found = syscalls.openat2(root, path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return ""
    try:
        status = os.fstat(found)
        if not stat.S_ISREG(status.st_mode):
            return ""
        text = os.read(found, min(status.st_size, _MOST_TEXT))
        return text.decode("utf-8", "surrogateescape")
    finally:
        os.close(found)


def remove_mount_points(root: str, created: Sequence[MountPoint]) -> None:
    """Remove the created mount points that the step did not use, the last one first."""
    if not created:
        return
    directory = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for point in reversed(created):
            try:
                if not _remove(directory, point, point.path):
                    _remove_moved(directory, point)
            except OSError:  # filled or replaced by the step: it stays
                continue
    finally:
        os.close(directory)


def _remove_moved(root: int, point: MountPoint) -> None:
    """Remove a mount point that the step has moved, with a directory above it."""
    name = os.path.basename(point.path)
    for where, directories, files, descriptor in os.fwalk(".", dir_fd=root):
        if name in directories or name in files:
            found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            if found.st_ino == point.inode:
                _remove(root, point, f"{where}/{name}")
                return


def _remove(root: int, point: MountPoint, path: str) -> bool:
    """Remove an unused mount point; return whether there is a file at ``path``."""
    parent, name = os.path.split(path)
    resolve = syscalls.RESOLVE_IN_ROOT | syscalls.RESOLVE_NO_SYMLINKS
    try:
        where = syscalls.openat2(root, parent or ".", os.O_RDONLY | os.O_DIRECTORY, resolve=resolve)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        before = os.fstat(where)
        try:
            found = os.stat(name, dir_fd=where, follow_symlinks=False)
        except FileNotFoundError:
            return False
        if not _is_untouched(found, point) or _has_owner_on_record(where, name):
            return True
        if point.directory:
            os.rmdir(name, dir_fd=where)
        else:
            os.unlink(name, dir_fd=where)
        _restore_times(where, before)
        return True
    finally:
        os.close(where)


def _has_owner_on_record(directory: int, name: str) -> bool:
    path = f"/proc/self/fd/{directory}/{name}"
    return owner_records.read(path, owner_records.names_on(path)) is not None


def _is_untouched(found: os.stat_result, point: MountPoint) -> bool:
    if (found.st_uid, found.st_gid) != (os.geteuid(), os.getegid()):
        return False
    if point.directory:
        return found.st_mode == stat.S_IFDIR | _DIRECTORY_MODE
    return (
        found.st_mode == stat.S_IFREG | _FILE_MODE
        and found.st_size == 0
        and found.st_mtime_ns == point.mtime
    )


def _restore_times(directory: int, before: os.stat_result) -> None:
    os.utime(directory, ns=(before.st_atime_ns, before.st_mtime_ns))


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part and part != "."]
