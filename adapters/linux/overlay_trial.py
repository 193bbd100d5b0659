"""Whether the kernel makes overlays of a directory: one is mounted, and written to."""

import errno
import os
import stat

from img.adapters.linux import syscalls
from img.domain.errors import HostError

MOST_LAYERS = 500  # OVL_MAX_STACK
OPAQUE = "user.overlay.opaque"  # as mounts with the option userxattr have it
_REMEDY = (
    "put the state (--state) on ext4, xfs, btrfs or tmpfs, in a container on a volume; Linux 5.11 "
    "or newer mounts overlays for users"
)


# What may be otherwise in a moment: space, memory, a module that somebody loads.
_PASSING = {errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENODEV}


class OverlayRefused(HostError):
    """The kernel makes no overlay of that directory; ``lasting`` if it will not tomorrow either."""

    def __init__(self, place: str, reason: str, *, lasting: bool) -> None:
        super().__init__(f"the kernel mounts no overlay on {place}: {reason}", hint=_REMEDY)
        self.lasting = lasting


def try_overlay(directory: str, place: str) -> None:
    """Mount an overlay of what is made in ``directory``, which is empty and the caller's to remove.

    ``place`` is what it is a part of, for the message. The process has a mount namespace of its
    own, so nobody else sees the mount. Raises OverlayRefused.
    """
    try:
        keeps = _keeps_deletions(directory)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OverlayRefused(place, reason, lasting=error.errno not in _PASSING) from error
    if not keeps:
        raise OverlayRefused(place, "what is deleted in it comes back", lasting=True)


def _keeps_deletions(directory: str) -> bool:
    """Make and use an overlay; tell whether there are whiteouts and opaque directories in it."""
    for name in ("lower/directory", "upper", "work", "merged"):
        os.makedirs(f"{directory}/{name}")
    os.mknod(f"{directory}/lower/file")
    _use_overlay(directory)
    os.getxattr(f"{directory}/upper/directory", OPAQUE)
    return stat.S_ISCHR(os.lstat(f"{directory}/upper/file").st_mode)


def _use_overlay(directory: str) -> None:
    merged = f"{directory}/merged"
    # Descriptors, for a path may have characters that mean something in options.
    parts = {name: _descriptor(f"{directory}/{name}") for name in ("lower", "upper", "work")}
    options = ",".join(f"{name}dir=/proc/self/fd/{part}" for name, part in parts.items())
    try:
        syscalls.mount("overlay", merged, "overlay", options=f"userxattr,{options}")
    finally:
        for part in parts.values():
            os.close(part)
    try:
        os.unlink(f"{merged}/file")
        os.rmdir(f"{merged}/directory")
        os.mkdir(f"{merged}/directory")
    finally:
        syscalls.umount2(merged, syscalls.MNT_DETACH)


def _descriptor(path: str) -> int:
    return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
