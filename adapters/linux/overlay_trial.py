"""Test whether the kernel can mount an overlay in a directory and keep deletions in it."""

import errno
import os
import stat

from img.adapters.linux import syscalls
from img.domain.errors import HostError

MOST_LAYERS = 500  # OVL_MAX_STACK
_REMEDY = (
    "put the state (--state) on ext4, xfs, btrfs or tmpfs, in a container on a volume; Linux 5.11 "
    "or newer mounts overlays for users"
)


# Errors that may be temporary: space, memory, a kernel module that is not loaded yet.
_PASSING = {errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENODEV}


class OverlayRefused(HostError):
    """The kernel cannot use that directory for overlays; ``lasting`` if that is permanent."""

    def __init__(self, place: str, reason: str, *, lasting: bool) -> None:
        super().__init__(f"the kernel mounts no overlay on {place}: {reason}", hint=_REMEDY)
        self.lasting = lasting


def try_overlay(directory: str, place: str) -> None:
    """Mount an overlay of directories below ``directory``, which is empty; the caller removes it.

    ``place`` names the surrounding directory in error messages. The process must have its own mount
    namespace, which hides the mount from other processes. Raises OverlayRefused.
    """
    try:
        keeps = _keeps_deletions(directory)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OverlayRefused(place, reason, lasting=error.errno not in _PASSING) from error
    if not keeps:
        raise OverlayRefused(place, "what is deleted in it comes back", lasting=True)


def _keeps_deletions(directory: str) -> bool:
    """Mount and use an overlay; tell whether it keeps whiteouts and opaque directories."""
    for name in ("lower/directory", "upper", "work", "merged"):
        os.makedirs(f"{directory}/{name}")
    os.mknod(f"{directory}/lower/file")
    _use_overlay(directory)
    os.getxattr(f"{directory}/upper/directory", syscalls.OPAQUE_XATTR)
    return stat.S_ISCHR(os.lstat(f"{directory}/upper/file").st_mode)


def _use_overlay(directory: str) -> None:
    merged = f"{directory}/merged"
    # Paths of descriptors, because special characters in a path would end a mount option.
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
