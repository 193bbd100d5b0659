"""Cache directories below the state directory."""

import contextlib
import fcntl
import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

from img.adapters.storage.file_entries import entry_of, open_file, xattr_names
from img.adapters.storage.own_files import is_locked, make_directories, try_lock
from img.adapters.storage.ownership import REAL, Ownership, journal_of
from img.adapters.storage.work_directory import WorkDirectory, bytes_below, remove_tree
from img.application.cancellation import POLL_S, pause
from img.application.ports.cache_mounts import CacheMounts, KeptDirectory
from img.application.ports.layer_archive import PackedEntry
from img.domain.errors import ContextError

_SHARED, _PRIVATE = "shared", "private"
_PATH_MAX = 4096  # linux/limits.h
_STALE_S = 3600  # age after which a size is measured again


class DirectoryCacheMounts(CacheMounts):
    """Directories ``root/<sha256 of the id>.<n>/data``; users hold a lock on the parent.

    Beside ``data`` is ``name``, the id itself, and ``size``, the disk usage at the last
    measurement, and ``new`` until the directory is filled; the process that fills it has a lock on
    ``name``. The mtime of the directory is the time of its last use. Those in ``others`` have other
    ids: they are listed and removed, and not used.
    """

    def __init__(
        self, root: Path, ownership: Ownership = REAL, others: Sequence[Path] = ()
    ) -> None:
        self._root = os.fspath(root)
        self._roots = [os.fspath(each) for each in (root, *others)]
        self._ownership = ownership

    @contextmanager
    def use(
        self,
        name: str,
        *,
        sharing: str,
        mode: int,
        owner: tuple[int, int],
        fill: Callable[[str], None],
    ) -> Iterator[str]:
        number = 0
        while True:
            directory, lock = self._locked(name, number, sharing)
            if lock is not None:
                break
            number += 1
        try:
            data = f"{directory}/data"
            if _is_new(directory):
                with _filling(directory) as first:
                    if first:
                        _write(f"{directory}/name", name)
                        _make(data, mode, owner, self._ownership.within(data))
                        fill(data)
            os.utime(directory)
            yield data
        finally:
            os.close(lock)

    @contextmanager
    def files(self, name: str) -> Iterator[Iterator[PackedEntry]]:
        directory, lock = self._locked(name, 0, _SHARED)
        assert lock is not None  # a shared cache is waited for
        try:
            data = f"{directory}/data"
            is_new = _is_new(directory)
            yield iter(()) if is_new else _entries_below(data, self._ownership.within(data))
        finally:
            os.close(lock)

    def kept(self, *, measured: bool = True) -> Sequence[KeptDirectory]:
        found = []
        for root in self._roots:
            for id_ in _listed(root):
                with contextlib.suppress(FileNotFoundError):
                    found.append(self._kept(root, id_, measured))
        return found

    def remove(self, id_: str) -> bool:
        removed = [self._remove(root, id_) for root in self._roots]
        return any(removed)

    def _remove(self, root: str, id_: str) -> bool:
        claimed = WorkDirectory.claim(f"{root}/{id_}") if id_ in _listed(root) else None
        if claimed is None:
            return False
        claimed.move(f"{root}/.{os.urandom(8).hex()}")
        claimed.remove()
        return True

    def _kept(self, root: str, id_: str, measured: bool) -> KeptDirectory:
        directory = f"{root}/{id_}"
        used = os.stat(directory).st_mtime
        return KeptDirectory(
            id=id_,
            name=_read(f"{directory}/name").partition("\0")[0],
            size=_size(directory, used, measured),
            used=used,
            in_use=is_locked(directory),
        )

    def _locked(self, name: str, number: int, sharing: str) -> tuple[str, int | None]:
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
        directory = f"{self._root}/{digest}.{number}"
        how = fcntl.LOCK_SH if sharing == _SHARED else fcntl.LOCK_EX
        while True:
            make_directories(directory)
            lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, how | fcntl.LOCK_NB)
                if os.path.samestat(os.stat(directory), os.fstat(lock)):
                    return directory, lock
            except FileNotFoundError:
                pass  # it was removed just now
            except BlockingIOError:
                os.close(lock)
                if sharing == _PRIVATE:
                    return directory, None
                pause(POLL_S)  # nothing would interrupt flock(2) in a thread
                continue
            os.close(lock)


def _listed(root: str) -> list[str]:
    try:
        return [name for name in sorted(os.listdir(root)) if not name.startswith(".")]
    except (FileNotFoundError, PermissionError):
        return []


def _size(directory: str, used: float, measured: bool) -> int:
    """Return the disk usage in bytes, cached so that not every build walks a large cache."""
    noted = _read(f"{directory}/size")
    if not measured and noted.isdecimal():
        since = os.stat(f"{directory}/size").st_mtime
        if used < since or time.time() - since < _STALE_S:
            return int(noted)
    size = bytes_below(directory)
    with contextlib.suppress(OSError):
        _write(f"{directory}/size", str(size))
        os.utime(directory, (used, used))
    return size


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)


def _is_new(directory: str) -> bool:
    return not os.path.isdir(f"{directory}/data") or os.path.exists(f"{directory}/new")


@contextmanager
def _filling(directory: str) -> Iterator[bool]:
    """Enter with the only right to fill a new directory, or with False if it is filled by now."""
    lock = os.open(f"{directory}/name", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        while not try_lock(lock):
            pause(POLL_S)
        first = _is_new(directory)
        if first:
            _write(f"{directory}/new", "")
        yield first
        if first:
            os.unlink(f"{directory}/new")
    finally:
        os.close(lock)


def _make(path: str, mode: int, owner: tuple[int, int], ownership: Ownership) -> None:
    """Make the directory; files of earlier attempts to fill it are deleted, wherever they ended."""
    gone = f"{os.path.dirname(path)}/gone"  # ours, also where the files have other owners
    if os.path.isdir(path):
        make_directories(gone)
        os.rename(path, f"{gone}/{os.urandom(8).hex()}")
    if os.path.isdir(gone):
        remove_tree(gone)
    with suppress(FileNotFoundError):
        os.unlink(journal_of(path))
    os.mkdir(path)
    ownership.give(path, *owner)
    os.chmod(path, mode)


def _entries_below(directory: str, ownership: Ownership) -> Iterator[PackedEntry]:
    """Yield the content of ``directory``, parents first, without files that vanish meanwhile."""
    todo = [""]
    while todo:
        path = todo.pop()
        where = f"{directory}/{path}" if path else directory
        if len(os.fsencode(path)) >= _PATH_MAX - len(os.fsencode(directory)) - 1:
            raise ContextError(f"a path in a cache mount is too long to keep: {path[:80]}...")
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
