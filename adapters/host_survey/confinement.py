"""Probes that change their own process, and run in separate child processes."""

import os
from collections.abc import Callable, Mapping

from img.adapters.linux import capabilities, syscalls
from img.adapters.syscall_supervisor import bpf
from img.domain.errors import HostError

_CHROOT_NEEDS = capabilities.mask_of("chown", "mknod", "setgid", "setpcap", "setuid", "sys_chroot")
_TRACE_ME = 0


def notification() -> str:
    """Load a filter that sends notifications."""
    bpf.prove_listening()
    return "filters can ask"


def chroot() -> str:
    """Change the root, with the rights that a step there needs."""
    if missing := _CHROOT_NEEDS & ~capabilities.effective():
        names = [name for bit, name in enumerate(capabilities.NAMES) if missing >> bit & 1]
        raise HostError(
            f"this process lacks {', '.join(names)}",
            hint="in a container, start it as root, without --cap-drop",
        )
    os.chroot("/")
    return "allowed"


def ptrace() -> str:
    """Trace a child process."""
    if syscalls.libc.ptrace(_TRACE_ME, 0, 0, 0) != 0:
        raise HostError(
            "nobody may be traced here", hint="in a container, start it with --cap-add SYS_PTRACE"
        )
    return "allowed"


PROBES: Mapping[str, Callable[[], str]] = {
    "seccomp notification": notification,
    "chroot": chroot,
    "ptrace": ptrace,
}
