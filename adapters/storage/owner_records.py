"""Recorded file owners, for namespaces that have only one id.

A record is an attribute of the file itself: it is deleted with the file, survives a rename, is
visible under all names of the file, and is in the copy that an overlay makes. Files of root have no
record.

Only regular files and directories take attributes with the prefix ``user.``. On all others the
record is a ``security.capability`` attribute: the kernel accepts it on any file, root in a user
namespace may write it, and it only has an effect on executable files.
"""

import contextlib
import errno
import os
import re
import struct
from collections.abc import Collection
from typing import NamedTuple

from img.adapters.linux import small_files
from img.adapters.linux.closed_files import Target, as_owner
from img.domain.kernel_numbers import is_id

_PREFIX = "user.img."
OWNER = "user.img.owner"  # "1000:1001"
DEVICE = "user.img.dev"  # "c 1:3": the file stands for a device that could not be created here
CAPABILITY = "security.capability"
# the capability attribute of a file, if this process may not write the real one
CAPABILITY_KEPT = "user.img.capability"

# struct vfs_cap_data (linux/capability.h): revision, permitted, inheritable, and the latter two
# again for the higher bits. The fourth number tells a record from a capability.
_RECORD = struct.Struct("<5I")
_REVISION_2 = 0x0200_0000
_SIGN = int.from_bytes(b"img!", "little")
_OTHER_KINDS = {errno.EPERM, errno.ENODATA}
_UNSUPPORTED = {errno.ENOTSUP, errno.ENOSYS, errno.EROFS}


class Owner(NamedTuple):
    """Owner and group of a file."""

    uid: int
    gid: int


ROOT = Owner(0, 0)


class Unrecordable(OSError):
    """The file system does not support attributes."""


def names_on(target: Target, *, follow: bool = False) -> list[str]:
    """Return the names of the attributes of a file, none if attributes are unsupported."""
    try:
        if isinstance(target, int):
            return os.listxattr(target)
        return os.listxattr(target, follow_symlinks=follow)
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return []
        raise


def read(target: Target, names: Collection[str], *, follow: bool = False) -> Owner | None:
    """Return the recorded owner, None without a record; ``names`` come from ``names_on``."""
    if OWNER in names:
        return _parsed(_get(target, OWNER, follow=follow))
    if CAPABILITY in names:
        value = _get(target, CAPABILITY, follow=follow)
        if len(value) == _RECORD.size:
            _, uid, gid, sign, _ = _RECORD.unpack(value)
            if sign == _SIGN and is_id(uid) and is_id(gid):
                return Owner(uid, gid)
    return None


def is_record(target: Target, name: str, *, follow: bool = False) -> bool:
    """Tell whether an attribute of a file is a record that copies of the file must not have.

    The record of capabilities does not count: copies must keep it.
    """
    if name.startswith(_PREFIX):
        return name != CAPABILITY_KEPT
    return name == CAPABILITY and read(target, (name,), follow=follow) is not None


def device_on(target: Target, names: Collection[str], *, follow: bool = False) -> bytes | None:
    """Return the text of the device that an empty file stands for, None for a real file."""
    return _get(target, DEVICE, follow=follow) if DEVICE in names else None


def record_device(target: Target, device: bytes, *, follow: bool = False) -> None:
    """Record that an empty file stands for a device, such as "c 1:3". Raises Unrecordable."""
    try:
        _set(target, DEVICE, device, follow=follow)
    except OSError as error:
        raise _as_unrecordable(error) from error


def keep_capability(target: Target, value: bytes, *, follow: bool = False) -> None:
    """Record the capabilities of a file. Raises Unrecordable."""
    try:
        _set(target, CAPABILITY_KEPT, value, follow=follow)
    except OSError as error:
        raise _as_unrecordable(error) from error


def capability_on(target: Target, *, follow: bool = False) -> bytes | None:
    """Return the recorded capabilities of a file, None if there are none."""
    if CAPABILITY_KEPT not in names_on(target, follow=follow):
        return None
    return _get(target, CAPABILITY_KEPT, follow=follow)


def drop_capability(target: Target, *, follow: bool = False) -> None:
    """Delete the recorded capabilities, if there are any."""
    if CAPABILITY_KEPT in names_on(target, follow=follow):
        _remove(target, CAPABILITY_KEPT, follow=follow)


def write(target: Target, owner: Owner, *, follow: bool = False) -> None:
    """Record the owner of a file. Raises Unrecordable."""
    if owner == ROOT:
        _erase(target, follow=follow)
        return
    try:
        _set(target, OWNER, b"%d:%d" % owner, follow=follow)
    except OSError as error:
        if error.errno not in _OTHER_KINDS:
            raise _as_unrecordable(error) from error
    else:
        return
    try:
        record = _RECORD.pack(_REVISION_2, *owner, _SIGN, 0)
        _set(target, CAPABILITY, record, follow=follow)
    except OSError as error:
        raise _as_unrecordable(error) from error


def _erase(target: Target, *, follow: bool) -> None:
    names = names_on(target, follow=follow)
    if not names or read(target, names, follow=follow) is None:
        return
    _remove(target, OWNER if OWNER in names else CAPABILITY, follow=follow)


def _set(target: Target, name: str, value: bytes, *, follow: bool) -> None:
    def set_it() -> None:
        if isinstance(target, int):
            os.setxattr(target, name, value)
        else:
            os.setxattr(target, name, value, follow_symlinks=follow)

    as_owner(target, set_it)


def _get(target: Target, name: str, *, follow: bool) -> bytes:
    def got() -> bytes:
        if isinstance(target, int):
            return os.getxattr(target, name)
        return os.getxattr(target, name, follow_symlinks=follow)

    return as_owner(target, got)


def _remove(target: Target, name: str, *, follow: bool) -> None:
    def remove_it() -> None:
        if isinstance(target, int):
            os.removexattr(target, name)
        else:
            os.removexattr(target, name, follow_symlinks=follow)

    as_owner(target, remove_it)


def _as_unrecordable(error: OSError) -> OSError:
    if error.errno in _UNSUPPORTED | {errno.EPERM}:
        return Unrecordable(error.errno, error.strerror, error.filename)
    return error


def _parsed(value: bytes) -> Owner | None:
    match = re.fullmatch(rb"(\d{1,10}):(\d{1,10})", value)
    owner = Owner(int(match[1]), int(match[2])) if match else None
    return owner if owner and all(map(is_id, owner)) else None  # None: a step wrote the attribute


class Journal:
    """Owner records of files that cannot store attributes.

    The key is the inode number, so a record may apply to a later file with the same number: a file
    system without attributes is the worse choice for a state. With a ``path`` the records of files
    on that device are also in a file: one line "<inode> <uid> <gid>" each, or "<inode> c 1:3" for a
    file that stands for a device. All other records are lost with this object.
    """

    def __init__(self, path: str | None = None) -> None:
        self._path = path
        self._device = os.stat(os.path.dirname(path)).st_dev if path else -1
        self._known: dict[tuple[int, int], Owner] = {}
        self._devices: dict[tuple[int, int], bytes] = {}
        with contextlib.suppress(FileNotFoundError):
            if path:
                self._read(path)

    def __bool__(self) -> bool:
        return bool(self._known or self._devices)

    def owner_of(self, status: os.stat_result) -> Owner | None:
        """Return the recorded owner, None without a record."""
        return self._known.get((status.st_dev, status.st_ino))

    def device_of(self, status: os.stat_result) -> bytes | None:
        """Return the device that an empty file stands for, None for a real file."""
        return None if status.st_size else self._devices.get((status.st_dev, status.st_ino))

    def add_device(self, status: os.stat_result, device: bytes) -> None:
        """Record that an empty file stands for a device."""
        self._devices[status.st_dev, status.st_ino] = device
        self._write(status, b"%d %s\n" % (status.st_ino, device))

    def add(self, status: os.stat_result, owner: Owner) -> None:
        """Record the owner of a file."""
        key = (status.st_dev, status.st_ino)
        if owner == self._known.get(key, ROOT):
            return
        self._known[key] = owner
        self._write(status, b"%d %d %d\n" % (status.st_ino, *owner))

    def _write(self, status: os.stat_result, line: bytes) -> None:
        if self._path and status.st_dev == self._device:
            small_files.append(self._path, line)

    def _read(self, path: str) -> None:
        for line in small_files.read_all(path).splitlines():
            inode, first, second = line.split()
            key = (self._device, int(inode))
            if first in (b"c", b"b"):
                self._devices[key] = b"%s %s" % (first, second)
            else:
                self._known[key] = Owner(int(first), int(second))
