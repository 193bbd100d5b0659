"""Cache directories below the state directory."""

import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

from img.adapters.linux.file_entries import entry_of, open_file, xattr_names
from img.adapters.linux.ownership import REAL, Ownership
from img.application.ports.cache_mounts import CacheDirectory, CacheMounts
from img.application.ports.layer_archive import PackedEntry
from img.domain.errors import ContextError

_SHARED, _PRIVATE = "shared", "private"


class DirectoryCacheMounts(CacheMounts):
    """``root/<sha256 of the id>.<n>/data``; its users hold a lock on the directory above."""

    def __init__(self, root: Path, ownership: Ownership = REAL) -> None:
        self._root = os.fspath(root)
        self._ownership = ownership

    @contextmanager
    def use(
        self, name: str, *, sharing: str, mode: int, owner: tuple[int, int]
    ) -> Iterator[CacheDirectory]:
        number = 0
        while True:
            directory, lock = self._locked(name, number, sharing)
            if lock is not None:
                break
            number += 1
        try:
            data = f"{directory}/data"
            fresh = not os.path.isdir(data)
            if fresh:
                _make(data, mode, owner, self._ownership.within(data))
            yield CacheDirectory(data, fresh)
        finally:
            os.close(lock)

    @contextmanager
    def files(self, name: str) -> Iterator[Iterator[PackedEntry]]:
        directory, lock = self._locked(name, 0, _SHARED)
        assert lock is not None  # as one of many it waits
        try:
            data = f"{directory}/data"
            yield _entries_below(data, self._ownership.within(data))
        finally:
            os.close(lock)

    def _locked(self, name: str, number: int, sharing: str) -> tuple[str, int | None]:
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
        directory = f"{self._root}/{digest}.{number}"
        os.makedirs(directory, mode=0o700, exist_ok=True)
        lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        how = fcntl.LOCK_SH if sharing == _SHARED else fcntl.LOCK_EX
        try:
            fcntl.flock(lock, how | (fcntl.LOCK_NB if sharing == _PRIVATE else 0))
        except BlockingIOError:
            os.close(lock)
            return directory, None
        return directory, lock


def _make(path: str, mode: int, owner: tuple[int, int], ownership: Ownership) -> None:
    draft = f"{path}.{os.urandom(6).hex()}"
    os.mkdir(draft)
    ownership.give(draft, *owner)
    os.chmod(draft, mode)
    try:
        os.rename(draft, path)
    except OSError:  # somebody else shares it already, and was first
        os.rmdir(draft)


def _entries_below(directory: str, ownership: Ownership) -> Iterator[PackedEntry]:
    """Yield what is in ``directory``, parents first; what vanishes meanwhile is left out."""
    todo = [""]
    while todo:
        path = todo.pop()
        where = f"{directory}/{path}" if path else directory
        with suppress(FileNotFoundError):
            status = os.lstat(where)
            if stat.S_ISDIR(status.st_mode):
                below = sorted(os.listdir(where), reverse=True)
                todo += [f"{path}/{name}" if path else name for name in below]
            if path and not stat.S_ISSOCK(status.st_mode):
                entry = entry_of(where, path, status, xattr_names(where), ownership)
                opener = partial(_opened, where) if entry.size else None
                yield PackedEntry(entry=entry, open=opener)


def _opened(path: str) -> BinaryIO:
    try:
        return open_file(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ContextError(f"a cache mount changed while it was read: {path}: {reason}") from None
