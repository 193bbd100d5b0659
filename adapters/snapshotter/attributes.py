"""Entries from files, and files' attributes from entries."""

import contextlib
import errno
import hashlib
import os
import re
import stat
from typing import BinaryIO

from img.adapters.linux.owner_records import CAPABILITY
from img.adapters.linux.ownership import REAL, Ownership
from img.domain.errors import BuildError
from img.domain.filesystem.changes import is_kept_xattr
from img.domain.filesystem.entry import (
    BLOCK,
    CHARACTER,
    DIRECTORY,
    FIFO,
    FILE,
    HARDLINK,
    SOCKET,
    SYMLINK,
    Entry,
)
from img.domain.filesystem.file_index import WHITEOUT_PREFIX, FileIndex

KINDS = {
    stat.S_IFREG: FILE,
    stat.S_IFDIR: DIRECTORY,
    stat.S_IFLNK: SYMLINK,
    stat.S_IFCHR: CHARACTER,
    stat.S_IFBLK: BLOCK,
    stat.S_IFIFO: FIFO,
    stat.S_IFSOCK: SOCKET,
}
OPAQUE = "user.overlay.opaque"  # as mounts with the option userxattr have it
MARK = "user.img.links"  # of a file with several names: what tells whose copy another file is
_NO_XATTRS = {errno.ENOTSUP, errno.EPERM, errno.EACCES}


class PathTooLong(BuildError):
    """A step made a path that is longer than the kernel takes at once (PATH_MAX)."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"a path in the root file system is too long: /{path[:80]}…",
            hint="directories nested deeper than 4096 bytes cannot be kept in a layer",
        )


def xattr_names(path: str) -> list[str]:
    """Return the names of a file's extended attributes, none where there cannot be any."""
    try:
        return os.listxattr(path, follow_symlinks=False)
    except OSError as error:
        if error.errno in _NO_XATTRS:
            return []
        raise


def entry_of(
    path: str,
    name: str,
    status: os.stat_result,
    xattrs: list[str],
    ownership: Ownership = REAL,
) -> Entry:
    """Return the entry ``name`` for the file at ``path``; ``xattrs`` are the names it has."""
    kind = KINDS[stat.S_IFMT(status.st_mode)]
    owner = ownership.of(path, status, xattrs)
    device = (0, 0)
    if kind in (CHARACTER, BLOCK):
        device = (os.major(status.st_rdev), os.minor(status.st_rdev))
    elif kind == FILE and not status.st_size:
        kind, device = _stood_for(ownership.device_of(path, status, xattrs))
    return Entry(
        name,
        kind,
        status.st_mode & 0o7777,
        owner.uid,
        owner.gid,
        status.st_size if kind == FILE else 0,
        status.st_mtime_ns,
        os.readlink(path) if kind == SYMLINK else "",
        device,
        _xattrs(path, xattrs, kind) if xattrs else (),
    )


def _stood_for(text: bytes | None) -> tuple[str, tuple[int, int]]:
    if match := re.fullmatch(rb"([cb]) (\d{1,9}):(\d{1,9})", text or b""):
        kind, major, minor = match.groups()
        return (CHARACTER if kind == b"c" else BLOCK), (int(major), int(minor))
    return FILE, (0, 0)  # a step wrote it


def _xattrs(path: str, names: list[str], kind: str) -> tuple[tuple[str, bytes], ...]:
    kept = sorted(name for name in names if is_kept_xattr(name))
    if kind != FILE and CAPABILITY in kept:  # an owner on record
        kept.remove(CAPABILITY)
    return tuple((name, os.getxattr(path, name, follow_symlinks=False)) for name in kept)


def set_directory(path: str, entry: Entry, ownership: Ownership) -> None:
    """Give the directory at ``path`` the owner, mode, xattrs and mtime of ``entry``."""
    ownership.give(path, entry.uid, entry.gid)
    os.chmod(path, entry.mode)
    for name, value in entry.xattrs:
        if is_kept_xattr(name):
            os.setxattr(path, name, value)
    os.utime(path, ns=(entry.mtime, entry.mtime))


def copy_attributes(source: str, target: str, ownership: Ownership) -> None:
    """Give ``target`` the owner, mode, kept xattrs and times of ``source``; neither is a link."""
    status = os.lstat(source)
    names = xattr_names(source)
    ownership.give(target, *ownership.of(source, status, names))
    os.chmod(target, status.st_mode & 0o7777)  # after chown, which takes the set-user-ID bit away
    for name in names:
        if is_kept_xattr(name):
            os.setxattr(target, name, os.getxattr(source, name))
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def set_times(directory: str, layer: FileIndex) -> list[str]:
    """Give files the mtimes that ``layer`` has for them, and return those that had others.

    What was packed has whole seconds, and may be older than what a step wrote (SOURCE_DATE_EPOCH);
    a later step has to see what it would see after unpacking.
    """
    changed = []
    for entry in layer:
        if entry.kind == HARDLINK or entry.path.rpartition("/")[2].startswith(WHITEOUT_PREFIX):
            continue
        path = f"{directory}/{entry.path}" if entry.path else directory
        with contextlib.suppress(FileNotFoundError):
            status = os.lstat(path)
            if status.st_mtime_ns != entry.mtime:
                os.utime(path, ns=(status.st_atime_ns, entry.mtime), follow_symlinks=False)
                changed.append(entry.path)
    return changed


def open_file(path: str) -> BinaryIO:
    """Open a regular file and follow no link that took its place."""
    return open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")


def digest_of(path: str) -> str:
    """Return the sha256 hex of a file's content."""
    digest = hashlib.sha256()
    with open_file(path) as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
