"""The content of /proc/PID/mounts for a root that is no mount: the kernel's would be empty."""

import os
from collections.abc import Mapping

_SHOWN = "rw,nosuid,nodev,noexec,relatime"


def mount_tables(root: str, proc: int) -> Mapping[bytes, bytes]:
    """Return the tables by name, for steps in ``root`` with the /proc directory ``proc``."""
    kind, source, options = _mounted_at(root)
    device, proc_device = (_number(os.stat(what).st_dev) for what in (root, proc))
    mounts = f"{source} / {kind} {options} 0 0\nproc /proc proc {_SHOWN} 0 0\n"
    info = (
        f"1 0 {device} / / {options} - {kind} {source} {options}\n"
        f"2 1 {proc_device} / /proc {_SHOWN} - proc proc rw\n"
    )
    stats = f"device {source} mounted on / with fstype {kind}\n"
    stats += "device proc mounted on /proc with fstype proc\n"
    texts = {"mounts": mounts, "mountinfo": info, "mountstats": stats}
    return {os.fsencode(name): os.fsencode(text) for name, text in texts.items()}


def _mounted_at(path: str) -> tuple[str, str, str]:
    """Return (type, source, options) of the file system at ``path``."""
    found = ("rootfs", "rootfs", "rw")
    longest = ""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            fields, _, more = line.partition(" - ")
            point, options = fields.split()[4:6]
            if _is_below(path, point) and len(point) >= len(longest):
                longest = point
                kind, source = more.split()[:2]
                found = kind, source, options
    return found


def _is_below(path: str, point: str) -> bool:
    return point in ("/", path) or path.startswith(f"{point}/")


def _number(device: int) -> str:
    return f"{os.major(device)}:{os.minor(device)}"
