"""The kernel's capabilities by name, and the set that Docker grants by default."""

import os
from functools import cache

from img.adapters.linux import small_files, syscalls

NAMES = tuple(
    """
    chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable
    net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio
    sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time
    sys_tty_config mknod lease audit_write audit_control setfcap mac_override mac_admin syslog
    wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore
    """.split()  # noqa: SIM905 (a column of 41 lines says no more)
)
"""The names, in the order of their bits (linux/capability.h)."""


def mask_of(*names: str) -> int:
    """Return the bit mask of the capabilities ``names``."""
    return sum(1 << NAMES.index(name) for name in names)


def names_in(mask: int) -> list[str]:
    """Return the names of the capabilities in ``mask``."""
    return [NAMES[number] for number in numbers_in(mask)]


@cache
def numbers_in(mask: int) -> tuple[int, ...]:
    """Return the numbers of the capabilities in ``mask``, cached for a process and its forks."""
    return tuple(number for number in range(len(NAMES)) if mask >> number & 1)


SYS_ADMIN = mask_of("sys_admin")
OF_OWNERS = mask_of("chown", "dac_override", "fowner", "setgid", "setpcap", "setuid")
"""The capabilities for processes and files of several users, which every step needs."""

DOCKER_DEFAULT = mask_of(
    "audit_write",
    "chown",
    "dac_override",
    "fowner",
    "fsetid",
    "kill",
    "mknod",
    "net_bind_service",
    "net_raw",
    "setfcap",
    "setgid",
    "setpcap",
    "setuid",
    "sys_chroot",
)

GUARD = mask_of("wake_alarm")
"""A capability that img's processes keep, besides those of the step, until they execute a program.

It has no effect on files and processes, and no step has it. A process without it may not trace one
that has it (ptrace(2), "access mode checking"): so a step that sees other processes cannot trace
the Python process that starts another step.
"""


ALL = (1 << len(NAMES)) - 1
_dropped = [0]  # capabilities that this process and its parents removed from its bounding set


def effective() -> int:
    """Return the bit mask of the effective capabilities of this process."""
    for line in small_files.read_start("/proc/self/status").splitlines():
        if line.startswith(b"CapEff:"):
            return int(line.split()[1], 16)
    return 0


def may_enter_any_directory() -> bool:
    """Tell whether modes of directories do not count: root may lack the capability for that."""
    return os.geteuid() == 0 and bool(effective() & mask_of("dac_override"))


def limit_to(mask: int) -> None:
    """Limit this process and all its descendants to the capabilities in ``mask`` (capabilities(7)).

    For processes with one thread only. Forked processes inherit the note of what is dropped
    already.
    """
    left = ALL & ~(mask | _dropped[0])
    if left:
        syscalls.drop_from_bounding_set(numbers_in(left))
    _dropped[0] |= ALL & ~mask


def keep_only(mask: int) -> None:
    """Drop every capability that is not in ``mask``, inheritable and ambient ones included."""
    syscalls.prctl(syscalls.PR_CAP_AMBIENT, syscalls.PR_CAP_AMBIENT_CLEAR_ALL)
    syscalls.capset(mask)


def keep_until_execution(mask: int) -> None:
    """Drop all capabilities that are not in ``mask``, except GUARD.

    GUARD must be missing in the bounding set, so that the next execve drops it.
    """
    try:
        keep_only(mask | GUARD)
    except PermissionError:  # root in a container may lack CAP_SETPCAP
        keep_only(mask)
