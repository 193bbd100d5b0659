"""Merging directories by names alone: no link on either side is followed."""

import contextlib
import errno
import os
import stat
from typing import NoReturn

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OWN = 0o700  # the permissions for work in a directory


def merge(source: str, target: str, *, kept: str = "", delete: bool) -> None:
    """Move the content of ``source`` to ``target``; with ``delete`` remove everything else there.

    Directories on both sides are merged, with the mode and time of the source's; other files of the
    same name are replaced. ``kept`` is a name in ``target`` that stays: that of ``source``, which
    is empty at the end.
    """
    from_, to = (os.open(path, os.O_RDONLY | os.O_DIRECTORY) for path in (source, target))
    try:
        _merge(from_, to, {kept}, delete=delete)
    finally:
        os.close(from_)
        os.close(to)


def check_kinds(source: str, target: str) -> None:
    """Raise OSError if ``merge`` would replace a directory by another file, or the reverse."""
    for at, directories, files in os.walk(source, onerror=_raise):
        place = os.path.normpath(os.path.join(target, os.path.relpath(at, source)))
        common = []
        for name in (*directories, *files):
            try:
                old = os.path.join(place, name)
                was_directory = stat.S_ISDIR(os.lstat(old).st_mode)
            except FileNotFoundError:
                continue
            if was_directory != stat.S_ISDIR(os.lstat(os.path.join(at, name)).st_mode):
                number = errno.EISDIR if was_directory else errno.ENOTDIR
                raise OSError(number, f"{old}: {os.strerror(number).lower()}")
            if was_directory:
                common.append(name)
        directories[:] = common


def empty(directory: int) -> None:
    """Remove the content of the open directory, independent of modes."""
    for name in os.listdir(directory):
        _remove(name, directory)


def _merge(source: int, target: int, kept: set[str], *, delete: bool) -> None:
    names = os.listdir(source)
    if delete:
        for name in set(os.listdir(target)) - set(names) - kept:
            _remove(name, target)
    for name in names:
        new, old = _status(name, source), _status(name, target)
        assert new is not None
        if stat.S_ISDIR(new.st_mode) and old is not None and stat.S_ISDIR(old.st_mode):
            _merge_directory(name, source, target, new, delete=delete)
            continue
        if old is not None and (stat.S_ISDIR(new.st_mode) or stat.S_ISDIR(old.st_mode)):
            _remove(name, target)
        _move(name, source, target, new)


def _merge_directory(
    name: str, source: int, target: int, new: os.stat_result, *, delete: bool
) -> None:
    from_, to = _open(name, source), _open(name, target)
    try:
        _merge(from_, to, set(), delete=delete)
        for attribute in os.listxattr(from_):
            if attribute.startswith("user."):
                os.setxattr(to, attribute, os.getxattr(from_, attribute))
        os.fchmod(to, stat.S_IMODE(new.st_mode))
        os.utime(to, ns=(new.st_mtime_ns, new.st_mtime_ns))
    finally:
        os.close(from_)
        os.close(to)
    os.rmdir(name, dir_fd=source)


def _move(name: str, source: int, target: int, status: os.stat_result) -> None:
    if not stat.S_ISDIR(status.st_mode):
        os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
        return
    # Moving a directory to another parent changes it, which requires write permission.
    mode = stat.S_IMODE(status.st_mode)
    os.chmod(name, mode | _OWN, dir_fd=source)
    os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
    os.chmod(name, mode, dir_fd=target)


def _raise(error: OSError) -> NoReturn:
    raise error


def _open(name: str, at: int) -> int:
    """Return a descriptor for listing and changing a directory, independent of its mode."""
    place = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
    try:
        mode = stat.S_IMODE(os.fstat(place).st_mode)
        if mode & _OWN != _OWN:
            # Another user's directory may be accessible all the same.
            with contextlib.suppress(PermissionError):
                os.chmod(f"/proc/self/fd/{place}", mode | _OWN)
    finally:
        os.close(place)
    return os.open(name, _DIRECTORY, dir_fd=at)


def _remove(name: str, at: int) -> None:
    status = _status(name, at)
    if status is None:
        return
    if not stat.S_ISDIR(status.st_mode):
        os.unlink(name, dir_fd=at)
        return
    descriptor = _open(name, at)
    try:
        empty(descriptor)
    finally:
        os.close(descriptor)
    os.rmdir(name, dir_fd=at)


def _status(name: str, at: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=at, follow_symlinks=False)
    except FileNotFoundError:
        return None
