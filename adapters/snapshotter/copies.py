"""Copies of single files, of every kind but directories."""

import errno
import os
import stat
from collections.abc import Callable

from img.adapters.linux.regular_files import open_regular
from img.adapters.snapshotter.attributes import copy_attributes
from img.adapters.storage.file_entries import xattr_names
from img.adapters.storage.owner_records import DEVICE
from img.adapters.storage.ownership import Ownership

CopyContent = Callable[[int, int], None]
"""Gives an empty file the content of another, both by descriptor."""

_MOST = 1 << 30  # bytes at once
_CANNOT_SHARE = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM}


def copy_content(source: int, target: int) -> None:
    """Give the empty file ``target`` the content of ``source``, sharing blocks if possible."""
    try:
        while os.copy_file_range(source, target, _MOST):
            pass
    except OSError as error:
        if error.errno not in _CANNOT_SHARE:
            raise
        while os.sendfile(target, source, None, _MOST):
            pass


def copy_file(
    source: str,
    target: str,
    status: os.stat_result,
    *,
    content: CopyContent = copy_content,
    owners: Ownership,
    given: Ownership,
) -> None:
    """Copy ``source``, with the status ``status``, to ``target``: no directory, no socket.

    ``owners`` and ``given`` are the ownerships of the two.
    """
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFLNK:
        os.symlink(os.readlink(source), target)
        given.give(target, *owners.of(source, status, xattr_names(source)))
        times = (status.st_atime_ns, status.st_mtime_ns)
        os.utime(target, ns=times, follow_symlinks=False)
        return
    if kind == stat.S_IFREG:
        _copy_regular(source, target, content, given)
    else:
        os.mknod(target, kind | 0o600, status.st_rdev)
    copy_attributes(source, target, given, owners)


def _copy_regular(source: str, target: str, content: CopyContent, given: Ownership) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    one = open_regular(source, follow=False)
    try:
        other = os.open(target, flags, 0o600)
        try:
            if os.fstat(one).st_size:
                content(one, other)
            if DEVICE in xattr_names(source):
                given.record_device(other, os.getxattr(one, DEVICE))
        finally:
            os.close(other)
    finally:
        os.close(one)
