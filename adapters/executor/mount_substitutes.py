"""Substitutes for mounts: files that are put into a root for a step, and removed again.

Existing files at their places are moved aside for the duration of the step. All moves are renames
within one file system, so nothing but ctimes change, which layers do not have.
"""

import contextlib
import errno
import os
import shutil
import signal
import stat
import time
from collections.abc import Callable, Sequence
from typing import TypeGuard

from img.adapters.executor.mount_points import MountPoints
from img.adapters.executor.reports import MountPoint
from img.adapters.linux import small_files, syscalls
from img.adapters.storage import left_secrets
from img.adapters.storage.own_files import open_own_file, try_lock
from img.adapters.storage.work_directory import WorkDirectory, remove_tree
from img.application.ports.executor import ExecutorUnavailable, ProcessNotStarted
from img.domain.dataclass import dataclass
from img.domain.process import (
    BindMount,
    DirectoryRoot,
    FileMount,
    ProcessMount,
    Root,
    TmpfsMount,
    TreeMount,
    Volume,
)

_INSIDE = syscalls.RESOLVE_IN_ROOT | syscalls.RESOLVE_NO_SYMLINKS


_BETWEEN_TRIES_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    """A substitute at ``path`` in the root; ``hidden`` was there before, ``home`` is its origin."""

    path: str  # normalized, without links
    hidden: str
    home: str  # "" if it is thrown away
    inode: int


class MountSubstitutes:
    """Puts substitutes into the root at ``path`` and removes them again, the last one first.

    Changes that the step makes to names in the root cannot lead ``remove`` out of it.
    ``on_created`` gets the mount points that had to be created in the root.
    """

    def __init__(self, path: str, on_created: Callable[[MountPoint], None]) -> None:
        self._path = os.path.realpath(path)
        self._root = os.open(self._path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._on_created = on_created
        self._points = MountPoints(self._root, self._report)
        self._aside = f"{self._path}.{os.urandom(8).hex()}"
        self._placed: list[_Placed] = []
        self._locks: list[int] = []
        self._secrets: WorkDirectory | None = None
        os.mkdir(self._aside, 0o700)

    @property
    def path(self) -> str:
        """Return the path of the root, without links."""
        return self._path

    def directory(
        self, target: str, mode: int = 0o755, fill: Callable[[str], None] = lambda _: None
    ) -> None:
        """Put a new directory at ``target``, with the content that ``fill`` makes."""

        def make(path: str) -> None:
            os.mkdir(path)
            os.chmod(path, mode)
            fill(path)

        self._place(target, make, directory=True)

    def file(
        self, target: str, content: bytes, mode: int = 0o644, uid: int = 0, gid: int = 0
    ) -> None:
        """Put a new file at ``target``."""

        self._place(target, lambda path: _write(path, content, mode, uid, gid), directory=False)

    def _secret(self, mount: FileMount) -> None:
        """Put a secret at the mount's target, in a file that is emptied after a crash.

        Its second name is outside of the root, so that the next command finds the file even if the
        step changes the first name (left_secrets.py).
        """
        if self._secrets is None:
            self._secrets = left_secrets.new_notes()
        second = f"{self._aside}/secret-{len(self._placed)}"
        left_secrets.remember(self._secrets.path, second)
        _write(second, mount.content, mount.mode, mount.uid, mount.gid)
        self._place(mount.target, lambda path: os.link(second, path), directory=False)

    def all(self, mounts: Sequence[ProcessMount]) -> None:
        """Put in place all mounts of the step, in this order. Raises ProcessNotStarted."""
        for source in sorted({mount.source for mount in filter(_is_moved, mounts)}):
            self._lock(source)
        for mount in mounts:
            try:
                self._one(mount)
            except OSError as error:
                raise ProcessNotStarted(f"cannot mount {mount.target}: {_reason(error)}") from error

    def remove(self) -> None:
        """Remove all substitutes and restore hidden files; the step may have changed the root."""
        while self._placed:
            placed = self._placed.pop()
            try:
                self._restore(placed)
            except OSError:  # the step has moved directories: the files stay in the root
                continue
        for lock in self._locks:
            os.close(lock)
        with contextlib.suppress(OSError):
            remove_tree(self._aside)
        if self._secrets is not None:
            self._secrets.remove()
        os.close(self._root)

    def _report(self, point: MountPoint) -> None:
        # Mount points inside of a substitute are removed with it.
        if not any(point.path.startswith(f"{placed.path}/") for placed in self._placed):
            self._on_created(point)

    def _one(self, mount: ProcessMount) -> None:
        match mount:
            case FileMount():
                self._secret(mount)
            case TmpfsMount():
                self.directory(mount.target, mount.mode)
            case BindMount():
                self._put(mount.source, mount.target, copy=mount.read_only)
            case Volume():  # refused before (chroot.py)
                raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
            case TreeMount():
                self._put(path_in(mount.root, mount.source), mount.target, copy=False)

    def _put(self, source: str, target: str, *, copy: bool) -> None:
        """Put the file or directory ``source`` at ``target``: itself, or a ``copy``."""
        kind = os.lstat(source).st_mode
        if stat.S_ISSOCK(kind):
            # A second name of a socket works as well as the first, within one file system.
            self._place(target, lambda path: os.link(source, path), directory=False)
            return
        directory = stat.S_ISDIR(kind)
        if copy:
            self._place(target, lambda path: _copy(source, path), directory=directory)
        else:
            self._place(target, lambda path: _move(source, path), directory=directory, home=source)

    def _lock(self, source: str) -> None:
        """Wait until no other step has the directory ``source`` in its root."""
        lock = open_own_file(f"{source}.lock", os.O_RDWR | os.O_CREAT)
        self._locks.append(lock)
        while not try_lock(lock):
            if signal.SIGTERM in signal.sigpending():  # blocked, for watching.py
                raise BlockingIOError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK))
            time.sleep(_BETWEEN_TRIES_S)

    def _place(
        self, target: str, make: Callable[[str], None], *, directory: bool, home: str = ""
    ) -> None:
        """Move an existing file at ``target`` aside and let ``make`` create the substitute."""
        found = self._points.open(target, directory=directory)
        try:
            path = os.readlink(f"/proc/self/fd/{found}")
        finally:
            os.close(found)
        if path == self._path:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), target)
        hidden = f"{self._aside}/{len(self._placed)}"
        above = os.path.dirname(path)
        before = os.stat(above)
        os.rename(path, hidden)
        try:
            make(path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.rename(path, f"{hidden}.failed")
            os.rename(hidden, path)
            raise
        finally:
            os.utime(above, ns=(before.st_atime_ns, before.st_mtime_ns))
        self._placed.append(
            _Placed(
                path=os.path.relpath(path, self._path),
                hidden=hidden,
                home=home,
                inode=os.lstat(path).st_ino,
            )
        )

    def _restore(self, placed: _Placed) -> None:
        parent, name = os.path.split(placed.path)
        where = syscalls.openat2(
            self._root, parent or ".", os.O_RDONLY | os.O_DIRECTORY, resolve=_INSIDE
        )
        try:
            before = os.fstat(where)
            used = f"{placed.hidden}.used"
            with contextlib.suppress(FileNotFoundError):
                os.rename(name, used, src_dir_fd=where)
                # Other files that the step put there must not leave its root.
                if placed.home and os.lstat(used).st_ino == placed.inode:
                    _move(used, placed.home)
            os.rename(placed.hidden, name, dst_dir_fd=where)
            os.utime(where, ns=(before.st_atime_ns, before.st_mtime_ns))
        finally:
            os.close(where)


def _is_moved(mount: ProcessMount) -> TypeGuard[BindMount]:
    return (
        isinstance(mount, BindMount)
        and not mount.read_only
        and (os.path.isdir(mount.source) or os.path.lexists(f"{mount.source}.lock"))
    )


def path_in(root: Root, source: str) -> str:
    """Return the path of ``source`` in another root; links are resolved inside that root."""
    if not isinstance(root, DirectoryRoot):
        raise ExecutorUnavailable("only roots that are plain directories can be put in place")
    directory = os.open(root.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = syscalls.openat2(directory, source, os.O_PATH)
        try:
            return os.readlink(f"/proc/self/fd/{found}")
        finally:
            os.close(found)
    finally:
        os.close(directory)


def _write(path: str, content: bytes, mode: int, uid: int, gid: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    file = os.open(path, flags, 0o600)
    try:
        small_files.write(file, content)
        os.fchown(file, uid, gid)
        os.fchmod(file, mode)
    finally:
        os.close(file)


def _move(source: str, target: str) -> None:
    try:
        os.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy(source, target)
        if os.path.isdir(source) and not os.path.islink(source):
            shutil.rmtree(source)
        else:
            os.unlink(source)


def _copy(source: str, target: str) -> None:
    """Copy a file or directory with its owners, modes and times (cp -a)."""
    if not os.path.isdir(source):
        _copy_one(source, target)
        return
    shutil.copytree(source, target, symlinks=True, copy_function=_copy_one)
    for directory, _, _ in os.walk(source):
        status = os.stat(directory)
        copy = os.path.normpath(os.path.join(target, os.path.relpath(directory, source)))
        os.chown(copy, status.st_uid, status.st_gid)
        os.chmod(copy, stat.S_IMODE(status.st_mode))
        os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))


def _copy_one(source: str, target: str) -> None:
    status = os.lstat(source)
    shutil.copy2(source, target, follow_symlinks=False)
    os.chown(target, status.st_uid, status.st_gid, follow_symlinks=False)
    if not stat.S_ISLNK(status.st_mode):
        os.chmod(target, stat.S_IMODE(status.st_mode))


def _reason(error: OSError) -> str:
    if error.errno == errno.EXDEV:
        return "it is on another file system than the build's state, and cannot be copied"
    return error.strerror or str(error)
