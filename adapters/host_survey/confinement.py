"""Probes that change their own process, and run in separate child processes."""

import os
from collections.abc import Callable, Mapping

from img.adapters.linux import container, syscalls
from img.adapters.linux.changed_roots import require_changeable_roots
from img.adapters.syscall_supervisor import bpf
from img.domain.errors import HostError

_TRACE_ME = 0


def notification() -> str:
    """Load a filter that sends notifications."""
    bpf.prove_listening()
    return "filters can ask"


def chroot() -> str:
    """Change the root, with the rights that a step there needs."""
    require_changeable_roots()
    os.chroot("/")
    return "allowed"


def ptrace() -> str:
    """Trace a child process."""
    if syscalls.libc.ptrace(_TRACE_ME, 0, 0, 0) != 0:
        raise HostError(
            "processes may not be traced here",
            hint=container.remedy(
                "set securityContext.capabilities.add: [SYS_PTRACE]",
                "start it with --cap-add SYS_PTRACE",
            ),
        )
    return "allowed"


PROBES: Mapping[str, Callable[[], str]] = {
    "seccomp notification": notification,
    "chroot": chroot,
    "ptrace": ptrace,
}
