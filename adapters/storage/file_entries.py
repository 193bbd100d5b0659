"""Files as entries of a layer."""

import errno
import os
import re
import stat
from collections.abc import Mapping
from typing import BinaryIO

from img.adapters.linux.closed_files import as_owner
from img.adapters.linux.regular_files import open_regular
from img.adapters.storage.owner_records import CAPABILITY, CAPABILITY_KEPT
from img.adapters.storage.ownership import REAL, Ownership
from img.domain.filesystem.changes import is_kept_xattr
from img.domain.filesystem.entry import (
    BLOCK,
    CHARACTER,
    DIRECTORY,
    FIFO,
    FILE,
    SOCKET,
    SYMLINK,
    Entry,
    EntryKind,
)
from img.domain.kernel_numbers import is_device

KINDS: Mapping[int, EntryKind] = {
    stat.S_IFREG: FILE,
    stat.S_IFDIR: DIRECTORY,
    stat.S_IFLNK: SYMLINK,
    stat.S_IFCHR: CHARACTER,
    stat.S_IFBLK: BLOCK,
    stat.S_IFIFO: FIFO,
    stat.S_IFSOCK: SOCKET,
}
_NO_XATTRS = {errno.ENOTSUP, errno.EPERM, errno.EACCES}


def xattr_names(path: str) -> list[str]:
    """Return the names of a file's extended attributes, none if attributes are unsupported."""
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
    """Return the entry ``name`` for the file at ``path``; ``xattrs`` are its attribute names."""
    kind = KINDS[stat.S_IFMT(status.st_mode)]
    owner = ownership.of(path, status, xattrs)
    device = (0, 0)
    if kind in (CHARACTER, BLOCK):
        device = (os.major(status.st_rdev), os.minor(status.st_rdev))
    elif kind == FILE and not status.st_size:
        kind, device = _device_in(ownership.device_of(path, status, xattrs))
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


def _device_in(text: bytes | None) -> tuple[EntryKind, tuple[int, int]]:
    if match := re.fullmatch(rb"([cb]) (\d{1,9}):(\d{1,9})", text or b""):
        device = (int(match[2]), int(match[3]))
        if is_device(device):
            return (CHARACTER if match[1] == b"c" else BLOCK), device
    return FILE, (0, 0)  # a step wrote the attribute


def _xattrs(path: str, names: list[str], kind: str) -> tuple[tuple[str, bytes], ...]:
    kept = sorted(name for name in names if is_kept_xattr(name))
    if kind != FILE and CAPABILITY in kept:  # a recorded owner
        kept.remove(CAPABILITY)
    values = [(name, _value_of(path, name)) for name in kept]
    if CAPABILITY_KEPT in names and CAPABILITY not in kept:
        values.append((CAPABILITY, _value_of(path, CAPABILITY_KEPT)))
    return tuple(sorted(values))


def _value_of(path: str, name: str) -> bytes:
    return as_owner(path, lambda: os.getxattr(path, name, follow_symlinks=False))


def open_file(path: str) -> BinaryIO:
    """Open a regular file, and no link, FIFO or device that replaced it. Raises OSError."""
    return open(as_owner(path, lambda: open_regular(path, follow=False)), "rb")
