"""Mounts of control groups in a step, with its own group as the root of the hierarchy.

If the step is in the host's root group, /sys/fs/cgroup shows all groups, read-only.
"""

import errno
import os
from collections.abc import Callable

from img.adapters.executor.mount_points import MountPoints
from img.adapters.linux import small_files, syscalls
from img.adapters.linux.hierarchies import Hierarchy, hierarchies_of
from img.adapters.linux.syscalls import (
    MOUNT_ATTR_NODEV,
    MOUNT_ATTR_NOEXEC,
    MOUNT_ATTR_NOSUID,
    MOUNT_ATTR_RDONLY,
)
from img.application.ports.executor import ExecutorUnavailable

_TOP = "/sys/fs/cgroup"
_MOST = 1 << 16  # bytes of /proc/self/cgroup that are read
_ATTRIBUTES = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC


def mount_own_groups(
    points: MountPoints, groups: tuple[Hierarchy, ...], *, read_only: bool
) -> None:
    """Mount ``groups`` in the root of ``points``, over /sys/fs/cgroup. Raises OSError."""
    attributes = _ATTRIBUTES | (MOUNT_ATTR_RDONLY if read_only else 0)
    for group in groups:
        if group.top == _TOP or group.top.startswith(f"{_TOP}/"):
            _mount(points, group, attributes)


def hide_control_groups() -> None:
    """Make this process' groups the roots that it can name. Raises ExecutorUnavailable."""
    try:
        syscalls.unshare(syscalls.CLONE_NEWCGROUP)
    except OSError as error:
        if error.errno == errno.EINVAL:  # a kernel without these namespaces
            return
        raise ExecutorUnavailable(
            f"a step cannot have a control group namespace: {error.strerror}"
        ) from error


def own_groups(process: str = "/proc/self") -> tuple[Hierarchy, ...]:
    """Return the hierarchies in which ``process`` is in a group other than the root group.

    Call it before ``hide_control_groups``, and before /sys is mounted again.
    """
    lines = small_files.read_start(f"{process}/cgroup", _MOST).splitlines()
    if {line.rpartition(b":")[2] for line in lines} == {b"/"}:
        return ()  # the usual case for root, without reading all mounts
    return tuple(each for each in hierarchies_of(process) if each.own != each.top)


class OwnGroups:
    """A cache of ``own_groups``, for a process that forks: reading all mounts is slow."""

    def __init__(self, remounted: Callable[[], bool]) -> None:
        """Create the cache; ``remounted`` tells whether mounts have changed since its last call."""
        self._remounted = remounted
        self._lines = b""
        self._found: tuple[Hierarchy, ...] = ()

    def now(self) -> tuple[Hierarchy, ...]:
        """Return the groups, read again if this process is in other groups or mounts changed."""
        lines = small_files.read_start("/proc/self/cgroup", _MOST)
        if self._remounted() or lines != self._lines:
            self._lines, self._found = lines, own_groups()
        return self._found


def _mount(points: MountPoints, group: Hierarchy, attributes: int) -> None:
    tree = syscalls.open_tree(group.own)
    syscalls.mount_setattr(tree, attributes)
    target = points.open(group.top, directory=True)
    syscalls.move_mount(tree, target)
    os.close(target)
    os.close(tree)
