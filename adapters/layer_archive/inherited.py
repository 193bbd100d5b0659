"""The owner and the mode that open(2) gives new files, which then need no chown(2) and chmod(2)."""

import os
import stat
from typing import NamedTuple

from img.adapters.storage.ownership import Ownership
from img.domain.filesystem.entry import Entry

_DEFAULT_ACL = "system.posix_acl_default"
_PERMISSIONS = 0o777


class Inherited(NamedTuple):
    """The owner of new files, and the mode bits that they get as requested."""

    uid: int
    gid: int
    bits: int

    def completes(self, entry: Entry) -> bool:
        """Tell whether a new file that is opened with the mode of ``entry`` lacks only its time."""
        return (
            not entry.mode & ~self.bits
            and entry.uid == self.uid
            and entry.gid == self.gid
            and not entry.xattrs
        )


NOTHING_INHERITED = Inherited(-1, -1, 0)
"""Completes no entry."""


def inherited_in(directory: str, ownership: Ownership) -> Inherited:
    """Return the attributes of new files in a new directory and its new subdirectories.

    In a directory with files, subdirectories may have other attributes to inherit. The process's
    umask stays, as other threads create files too.
    """
    if os.listdir(directory):
        return NOTHING_INHERITED
    status = os.stat(directory)
    owner = ownership.of_new_files()
    # A set-group-ID directory, or the mount option grpid, gives files its own group; a default ACL
    # replaces the umask (acl(5)).
    if owner is None or owner != (status.st_uid, status.st_gid) or status.st_mode & stat.S_ISGID:
        return NOTHING_INHERITED
    umask = _umask()
    if umask is None or _has_default_acl(directory):
        return NOTHING_INHERITED
    return Inherited(*owner, _PERMISSIONS & ~umask)


def _has_default_acl(directory: str) -> bool:
    try:
        return _DEFAULT_ACL in os.listxattr(directory)
    except OSError:  # no attributes, no ACL
        return False


def _umask() -> int | None:
    """Return the umask without changing it; None if /proc lacks it (before Linux 4.7)."""
    try:
        with open("/proc/self/status", "rb") as status:
            for line in status:
                if line.startswith(b"Umask:"):
                    return int(line[6:], 8)
    except (OSError, ValueError):
        pass
    return None
