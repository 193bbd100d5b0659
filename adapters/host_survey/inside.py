"""What is tried in the namespaces of a build."""

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Mapping

from img.adapters.linux import syscalls
from img.domain.errors import HostError

_WRITABLE_OVERLAY = (
    "put the state (--state) on ext4, xfs, btrfs or tmpfs; Linux 5.11 or newer mounts overlays "
    "for users"
)


def probes(directory: str) -> Mapping[str, Callable[[], str]]:
    """Return what to try, by name, for the state ``directory``."""
    return {
        "overlay": lambda: overlay(directory),
        "proc": proc,
        "network namespace": network,
    }


def id_ranges() -> str:
    """Return how many ids there are."""
    with open("/proc/self/uid_map", encoding="ascii") as lines:
        count = sum(int(line.split()[2]) for line in lines)
    return f"{count} ids"


def overlay(directory: str) -> str:
    """Mount an overlay and write what it has to keep. Raises HostError."""
    base = tempfile.mkdtemp(dir=directory, prefix=".probe-")
    merged = f"{base}/merged"
    try:
        for name in ("lower/directory", "upper", "work", "merged"):
            os.makedirs(f"{base}/{name}")
        with open(f"{base}/lower/file", "w", encoding="ascii"):
            pass
        options = f"userxattr,lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work"
        syscalls.mount("overlay", merged, "overlay", options=options)
        try:
            os.unlink(f"{merged}/file")
            os.rmdir(f"{merged}/directory")
            os.mkdir(f"{merged}/directory")
        finally:
            syscalls.umount2(merged, syscalls.MNT_DETACH)
        if not stat.S_ISCHR(os.lstat(f"{base}/upper/file").st_mode):
            raise HostError("an overlay keeps no whiteouts here", hint=_WRITABLE_OVERLAY)
        os.getxattr(f"{base}/upper/directory", "user.overlay.opaque")
    except OSError as error:
        raise HostError(f"{error.strerror} on {directory}", hint=_WRITABLE_OVERLAY) from error
    finally:
        shutil.rmtree(base, ignore_errors=True)
    return "mounted, with whiteouts and opaque directories"


def proc() -> str:
    """Mount a /proc. Raises HostError."""
    pid, _ = syscalls.fork_into(syscalls.CLONE_NEWPID | syscalls.CLONE_NEWNS)
    if pid == 0:
        code = 1
        try:
            syscalls.mount("proc", "/proc", "proc")
            code = 0
        finally:
            os._exit(code)
    if os.waitpid(pid, 0)[1]:
        raise HostError(
            "parts of /proc are hidden, so no other can be mounted",
            hint="in a container, start it with --security-opt systempaths=unconfined",
        )
    return "mounted"


def network() -> str:
    """Make a network namespace."""
    syscalls.unshare(syscalls.CLONE_NEWNET)
    return "made"
