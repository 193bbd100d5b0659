"""The mounts of every root that runtime-spec requires: /proc, /dev and /sys.

They are complete before there is a root to attach them to. The options are runc's (runtime-spec
config-linux.md, "Default Filesystems").
"""

import errno
import os
import stat
from collections.abc import Callable

from img.adapters.executor.group_mounts import mount_own_groups
from img.adapters.executor.launch import SystemNeeds
from img.adapters.executor.mount_points import MountPoints
from img.adapters.executor.mounts import named
from img.adapters.linux import syscalls
from img.adapters.linux.hierarchies import Hierarchy
from img.adapters.linux.syscalls import (
    MOUNT_ATTR_NODEV,
    MOUNT_ATTR_NOEXEC,
    MOUNT_ATTR_NOSUID,
    MOUNT_ATTR_RDONLY,
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    MS_STRICTATIME,
)

# A file system mounted over the root of this process: "/" leads to the directory below it, and ".."
# of the root to the mount that covers it. So no directory has to exist for this mount; but while it
# is there no other path may be looked up: links with ".." would lead into it.
_STAGE = "/.."
_NAMES = ("proc", "dev", "sys")
_NODES = "nodes"  # a file system of devices; only its files are attached, and leave the stage
_PLAIN = MS_NOSUID | MS_NODEV | MS_NOEXEC
_READ_ONLY_DEVICE = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC
# name: (major, minor) (kernel devices.txt)
DEVICES = {
    "null": (1, 3),
    "zero": (1, 5),
    "full": (1, 7),
    "random": (1, 8),
    "urandom": (1, 9),
    "tty": (5, 0),
}
_STREAM_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}
_KERNEL_MEMORY = "/proc/kcore"
# containerd's defaults, which BuildKit uses (oci/spec.go, "populateDefaultUnixSpec").
MASKED = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


def device_links() -> dict[str, str]:
    """Return the links in the /dev of a step: a kernel may have no /proc/kcore, as runc knows."""
    has_core = os.path.exists(_KERNEL_MEMORY)
    return {**_STREAM_LINKS, **({"core": _KERNEL_MEMORY} if has_core else {})}


class SystemMounts:
    """The system mounts of a step, complete, and not yet attached to a root."""

    def __init__(self, needs: SystemNeeds, groups: tuple[Hierarchy, ...]) -> None:
        """Mount them in the namespaces of a step, which no mount leaves or enters from now on.

        ``groups`` are the control groups of this process.
        """
        syscalls.mount("none", "/", flags=MS_REC | MS_PRIVATE)
        syscalls.mount("tmpfs", "/", "tmpfs", _PLAIN)
        try:
            for name in _NAMES:
                os.mkdir(f"{_STAGE}/{name}")
            _fill_dev(needs.shm_size)
            _mount_sys(read_only=needs.confined)
            _mount_own_groups(groups, read_only=needs.confined)
            if needs.proc:
                _mount_proc()
                if needs.confined:
                    _mask()
            names = _NAMES if needs.proc else ("dev", "sys")
            self._trees = {name: syscalls.open_tree(f"{_STAGE}/{name}") for name in names}
            # Through the mount that is moved, so that its name is /dev/null in the step too.
            self._null = os.open("null", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._trees["dev"])
        finally:
            syscalls.umount2(_STAGE, syscalls.MNT_DETACH)

    def move_to(self, points: MountPoints, terminal: Callable[[int], None] | None = None) -> None:
        """Attach the mounts to a root with unknown content. Raises ProcessNotStarted.

        Standard input becomes the /dev/null of these mounts: the previous one is the host's, and a
        step may change the mode of its open files. ``terminal`` is called with /dev, and replaces
        it.
        """
        devices = os.dup(self._trees["dev"]) if terminal else -1
        for name in _NAMES:
            with named(f"/{name}"):
                target = _as_directory(points.open(name, directory=True))
                if name in self._trees:
                    syscalls.move_mount(self._trees[name], target)
                    os.close(self._trees[name])
                os.close(target)
        os.dup2(self._null, 0)
        os.close(self._null)
        if terminal is not None:
            terminal(devices)
            os.close(devices)


def _mount_proc() -> None:
    target = f"{_STAGE}/proc"
    try:
        syscalls.mount("proc", target, "proc", _PLAIN)
    except PermissionError:  # parts of the outer /proc are hidden: img runs in a container itself
        syscalls.mount("/proc", target, flags=MS_BIND | MS_REC)


def _fill_dev(shm_size: int) -> None:
    dev = f"{_STAGE}/dev"
    # The devices are bind mounts, which have flags of their own.
    flags = MS_NOSUID | MS_NODEV | MS_STRICTATIME
    syscalls.mount("tmpfs", dev, "tmpfs", flags, "mode=755,size=65536k")
    _attach_devices(dev)
    for name, text in (device_links() | {"ptmx": "pts/ptmx"}).items():
        os.symlink(text, f"{dev}/{name}")
    for name in ("pts", "shm", "mqueue"):
        os.mkdir(f"{dev}/{name}")
    _mount_devpts(f"{dev}/pts")
    syscalls.mount("shm", f"{dev}/shm", "tmpfs", _PLAIN, f"mode=1777,size={shm_size}")
    _mount_if_known("mqueue", f"{dev}/mqueue")


def _attach_devices(dev: str) -> None:
    """Attach one device after another, so that there is no directory in which a step makes more.

    A step may change the mode and the owner of its devices. So they are new inodes, or, if none can
    be created (mknod(2) in a user namespace), the host's on mounts that are read-only: such a mount
    refuses changes of the inode, and a device on it can be written to.
    """
    nodes = f"{_STAGE}/{_NODES}"
    os.mkdir(nodes)
    syscalls.mount("tmpfs", nodes, "tmpfs", MS_NOSUID | MS_NOEXEC | MS_STRICTATIME, "mode=700")
    mask = os.umask(0)
    try:
        for name, (major, minor) in DEVICES.items():
            if _make_device(f"{nodes}/{name}", os.makedev(major, minor)):
                os.mknod(f"{dev}/{name}", 0o666)
                syscalls.mount(f"{nodes}/{name}", f"{dev}/{name}", flags=MS_BIND)
            elif os.path.exists(f"/dev/{name}"):
                tree = syscalls.open_tree(f"/dev/{name}")
                syscalls.mount_setattr(tree, _READ_ONLY_DEVICE)
                _attach_new(tree, f"{dev}/{name}")
    finally:
        os.umask(mask)


def _make_device(path: str, number: int) -> bool:
    """Create a device; return False if that is forbidden, in a user namespace or a container."""
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, number)
    except PermissionError:
        return False
    return True


def _attach_new(tree: int, path: str) -> None:
    """Attach the mount of a file at a new name."""
    os.mknod(path, 0o666)
    where = os.open(path, os.O_PATH | os.O_CLOEXEC)
    syscalls.move_mount(tree, where)
    os.close(where)
    os.close(tree)


def _mount_devpts(target: str) -> None:
    flags, options = MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620"
    try:
        syscalls.mount("devpts", target, "devpts", flags, f"{options},gid=5")
    except OSError:  # EINVAL if the group tty is not mapped
        syscalls.mount("devpts", target, "devpts", flags, options)


def _mount_if_known(kind: str, target: str) -> None:
    try:
        syscalls.mount(kind, target, kind, _PLAIN)
    except OSError:  # a kernel without POSIX message queues
        return


def _mount_sys(*, read_only: bool) -> None:
    sys = f"{_STAGE}/sys"
    flags = _PLAIN | (MS_RDONLY if read_only else 0)
    try:
        syscalls.mount("sysfs", sys, "sysfs", flags)
    except PermissionError:  # requires ownership of the network namespace
        _attach_copy("/sys", sys, read_only=read_only)
    else:
        groups = "/sys/fs/cgroup"
        if os.path.isdir(f"{_STAGE}{groups}") and os.path.isdir(groups):
            _attach_copy(groups, f"{_STAGE}{groups}", read_only=read_only)


def _mount_own_groups(groups: tuple[Hierarchy, ...], *, read_only: bool) -> None:
    stage = os.open(_STAGE, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    mount_own_groups(MountPoints(stage, lambda _: None), groups, read_only=read_only)
    os.close(stage)


def _attach_copy(source: str, target: str, *, read_only: bool) -> None:
    tree = syscalls.open_tree(source)
    attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC
    syscalls.mount_setattr(tree, attributes | (MOUNT_ATTR_RDONLY if read_only else 0))
    where = os.open(target, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    syscalls.move_mount(tree, where)
    os.close(where)
    os.close(tree)


def _mask() -> None:
    for path in READ_ONLY:
        target = _STAGE + path
        if _kind_of(target):
            syscalls.mount(target, target, flags=MS_BIND | MS_REC)
            syscalls.mount("none", target, flags=MS_BIND | MS_REMOUNT | MS_RDONLY | _PLAIN)
    empty = ""
    for path in MASKED:
        target = _STAGE + path
        kind = _kind_of(target)
        if kind == stat.S_IFDIR:
            if empty:  # cheaper than another file system
                syscalls.mount(empty, target, flags=MS_BIND)
                continue
            empty = target
            syscalls.mount("tmpfs", target, "tmpfs", MS_RDONLY | _PLAIN, "size=0k,nr_inodes=2")
        elif kind:
            syscalls.mount(f"{_STAGE}/dev/null", target, flags=MS_BIND)


def _kind_of(path: str) -> int:
    """Return the type of a file (stat.S_IF...), 0 for none."""
    try:
        return stat.S_IFMT(os.stat(path).st_mode)
    except OSError:
        return 0


def _as_directory(found: int) -> int:
    if not stat.S_ISDIR(os.fstat(found).st_mode):
        os.close(found)
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    return found
