"""Owners, modes, extended attributes and times of unpacked files."""

import errno
import os
import stat

from img.adapters.linux.syscalls import OPAQUE_XATTR
from img.adapters.storage.owner_records import CAPABILITY, OWNER, keep_capability
from img.adapters.storage.ownership import Ownership
from img.domain.filesystem.entry import CHARACTER, Entry


def is_whiteout(status: os.stat_result) -> bool:
    """Tell whether the file is a whiteout of an overlay (the kernel's overlayfs.rst)."""
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def device_text(entry: Entry) -> bytes:
    """Return the text of a device for Ownership.record_device."""
    major, minor = entry.device
    return b"%s %d:%d" % (b"c" if entry.kind == CHARACTER else b"b", major, minor)


def set_all(file: int, entry: Entry, ownership: Ownership) -> None:
    """Set all metadata of an open file or directory, in the only order that works."""
    ownership.give(file, entry.uid, entry.gid)  # removes the setuid bits, and file capabilities
    for name, value in entry.xattrs:
        _set_xattr(file, name, value)
    os.chmod(file, entry.mode)  # may remove the write permission that the calls above need
    os.utime(file, ns=(entry.mtime, entry.mtime))


def set_all_but_mode(at: int, name: bytes, entry: Entry, ownership: Ownership) -> None:
    """Set owner, xattrs and times of a file that cannot be opened: a link, a FIFO, a device.

    Removes set-user-ID bits, as chown(2) does: set the mode afterwards.
    """
    ownership.give(name, entry.uid, entry.gid, at=at)
    for attribute, value in entry.xattrs:
        # There is no setxattrat before Linux 6.13.
        _set_xattr(b"/proc/self/fd/%d/%s" % (at, name), attribute, value)
    os.utime(name, ns=(entry.mtime, entry.mtime), dir_fd=at, follow_symlinks=False)


def remove_other_xattrs(file: int, entry: Entry) -> None:
    """Remove the extended attributes that ``entry`` lacks, except for the state's own."""
    wanted = {OPAQUE_XATTR, OWNER, *(name for name, _ in entry.xattrs)}
    for name in _xattr_names(file):
        if name.startswith("user.") and name not in wanted:
            os.removexattr(file, name)


def _xattr_names(file: int) -> list[str]:
    try:
        return os.listxattr(file)
    except OSError as error:
        if error.errno == errno.ENOTSUP:  # on such a file system a file has none
            return []
        raise


def _set_xattr(target: int | bytes, name: str, value: bytes) -> None:
    key = name.encode("utf-8", "surrogateescape")
    try:
        if isinstance(target, int):
            os.setxattr(target, key, value)
        else:
            os.setxattr(target, key, value, follow_symlinks=False)
    except OSError as error:
        # only in a user namespace may a plain user set it
        if error.errno == errno.EPERM and name == CAPABILITY:
            keep_capability(target, value)
        # containerd also continues if the file system does not support attributes.
        elif error.errno != errno.ENOTSUP:
            raise
