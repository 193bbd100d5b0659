"""Leases: the directories that running processes use."""

import contextlib
import errno
import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from img.adapters.storage.own_files import Lock, open_own_file

_SIZE_DIGITS = 20
_UNTOUCHED_S = 60.0  # the precision of the time of the last use
_UNWRITABLE = {errno.EROFS, errno.EACCES, errno.EPERM}


class SnapshotLeases:
    """A file ``root/uses/<random>`` with names per process, which holds a lock on it (flock(2)).

    A list and the lock on it end with the process. ``root/locks/<name>`` was touched when the
    directory of that name was last used, and contains its approximate size. Threads share it.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._own: Lock | None = None
        self._path = f"{root}/uses/{os.urandom(8).hex()}"
        self._users = 0
        self._touched: dict[str, float] = {}
        self._lock = threading.Lock()

    @contextmanager
    def acquire(self, names: Iterable[str]) -> Iterator[None]:
        """Protect the directories ``names`` from removal, until ``release``.

        Inside, the caller may check whether they exist: no process removes any meanwhile.
        """
        with self._lock, Lock(f"{self._root}/uses.lock", shared=True):
            self._users += 1
            try:
                if self._own is None:
                    self._own = Lock(self._path).__enter__()
                with open(self._path, "a", encoding="ascii") as file:
                    file.writelines(f"{name}\n" for name in names)
                yield
            except BaseException:
                self._forget_one()
                raise

    def release(self) -> None:
        """End the use that ``acquire`` began."""
        with self._lock:
            self._forget_one()

    @contextmanager
    def removing(self, name: str) -> Iterator[bool]:
        """Enter with True if the directory ``name`` is unused, and keep it unused meanwhile."""
        with self._lock, Lock(f"{self._root}/uses.lock"):
            yield name not in self._names_in_use()

    def in_use(self) -> set[str]:
        """Return the names that are in use."""
        if not os.path.isdir(f"{self._root}/uses"):
            return set()
        try:
            with self._lock, Lock(f"{self._root}/uses.lock"):
                return self._names_in_use()
        except OSError as error:
            if error.errno not in _UNWRITABLE:
                raise
            return self._all_names()

    def touch(self, name: str, size: int | None = None) -> None:
        """Record that the directory is used now, and its size in bytes.

        Without a size at most once a minute: each step uses the directories of those before it.
        """
        now = time.monotonic()
        if size is None and now < self._touched.get(name, -_UNTOUCHED_S) + _UNTOUCHED_S:
            return
        self._touched[name] = now
        path = f"{self._root}/locks/{name}"
        descriptor = open_own_file(path, os.O_WRONLY | os.O_CREAT)
        try:
            if size is not None:
                os.write(descriptor, f"{size:0{_SIZE_DIGITS}d}".encode())
            os.utime(descriptor)
        finally:
            os.close(descriptor)

    def size_and_last_use(self, name: str) -> tuple[int | None, float | None]:
        """Return the size in bytes and the time of the last use, in seconds since 1970."""
        path = f"{self._root}/locks/{name}"
        try:
            with open(path, encoding="ascii") as file:
                text = file.read(_SIZE_DIGITS)
            return int(text) if text.isdecimal() else None, os.stat(path).st_mtime
        except OSError:
            return None, None

    def _forget_one(self) -> None:
        self._users -= 1
        if not self._users and self._own is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._path)
            self._own.__exit__(None, None, None)
            self._own = None

    def _names_in_use(self) -> set[str]:
        needed: set[str] = set()
        for path in self._lists():
            try:
                with Lock(path, wait=False):
                    os.unlink(path)  # its process has died
            except BlockingIOError:
                needed.update(_names_in(path))
        return needed

    def _all_names(self) -> set[str]:
        """Return the names in all leases, also of dead processes, without write access."""
        with contextlib.suppress(PermissionError):
            return {name for path in self._lists() for name in _names_in(path)}
        return set()

    def _lists(self) -> list[str]:
        return [f"{self._root}/uses/{name}" for name in os.listdir(f"{self._root}/uses")]


def _names_in(path: str) -> list[str]:
    with (
        contextlib.suppress(FileNotFoundError, PermissionError),
        open(path, encoding="ascii") as file,
    ):
        return file.read().split()
    return []
