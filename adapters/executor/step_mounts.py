"""All mounts of a step's root, in the one order in which each covers or contains the next."""

import os
import socket
from collections.abc import Callable
from functools import partial

from img.adapters.executor import reports
from img.adapters.executor.group_mounts import hide_control_groups, mount_own_groups, own_groups
from img.adapters.executor.mount_points import MountPoints
from img.adapters.executor.mounts import Scratch, mount_extra, mount_name_files
from img.adapters.executor.system_mounts import SystemMounts
from img.domain.process import Process


def mount_all(
    process: Process,
    system: SystemMounts,
    scratch: Scratch,
    channel: socket.socket,
    use_devices: Callable[[int], None] | None = None,
) -> int:
    """Mount everything on the root in the working directory; return its O_PATH descriptor.

    ``use_devices`` is called with a descriptor of /dev before any mount of the step could hide it.
    Mount points that had to be created are reported to ``channel``. Raises ProcessNotStarted.
    """
    root = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    points = MountPoints(root, partial(reports.send, channel))
    system.move_to(points, use_devices)
    if process.control_groups:  # otherwise they are mounted already
        mount_own_groups(points, own_groups(), read_only=not process.insecure)
    hide_control_groups()
    mount_name_files(points, scratch, process)
    mount_extra(points, scratch, process.mounts_outer_first)
    return root
