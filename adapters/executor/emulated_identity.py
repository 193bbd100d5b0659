"""The identity of a step with one id: root for the kernel, with emulated answers to the step."""

import errno
import os
import socket
from collections.abc import Iterator

from img.adapters.executor import privileges, supervision
from img.adapters.linux import capabilities
from img.adapters.syscall_supervisor import bpf
from img.adapters.syscall_supervisor.root.filters import filter_program
from img.adapters.syscall_supervisor.root.level import Emulation
from img.application.ports.executor import ExecutorUnavailable, ProcessNotStarted
from img.domain.filesystem.ownership import UserIdentity
from img.domain.process import Process, Ulimit

NEEDED = capabilities.DOCKER_DEFAULT | capabilities.SYS_ADMIN
"""The capabilities a step may have, and the one for loading a filter without no_new_privs."""
_TAG = "locks"  # the limit that carries the credentials of a process (root/identities.py)


def prepare() -> None:
    """Compile the filters of most steps, for processes that are forked later."""
    machine = bpf.this_machine()
    if machine is not None:
        for strict in (False, True):
            filter_program(machine, Emulation.FULL, capabilities.DOCKER_DEFAULT, strict=strict)


def limits_of(process: Process) -> Iterator[Ulimit]:
    """Yield the limits that a step may set."""
    return (limit for limit in process.ulimits if limit.name != _TAG)


def take(
    process: Process, user: UserIdentity, level: Emulation, supervisor: socket.socket | None
) -> None:
    """Load the filter of ``level``, as ``user`` with the step's capabilities.

    Raises ProcessNotStarted, ExecutorUnavailable.
    """
    if user.uid and level is Emulation.OFF:
        raise ProcessNotStarted(
            f"cannot become {user.uid}:{user.gid}: there is one id, and no emulation of others"
        )
    allowed = privileges.allowed_capabilities(process.network)
    if process.insecure:
        allowed = capabilities.effective()
    if user.uid:
        allowed &= ~capabilities.mask_of("dac_override")
    privileges.separate(process)
    capabilities.limit_to(allowed)
    _load_filter(process, level, supervisor, user, allowed)
    # With the bounding set alone a process under no_new_privs would lose all capabilities.
    capabilities.keep_until_execution(allowed)


def _load_filter(
    process: Process,
    level: Emulation,
    supervisor: socket.socket | None,
    user: UserIdentity,
    allowed: int,
) -> None:
    machine = bpf.this_machine()
    if machine is None:
        if level is Emulation.OFF:
            return
        raise _refusal(OSError(errno.ENOSYS, f"unknown machine {os.uname().machine}"))
    strict = user.uid != 0
    program = filter_program(
        machine, level, allowed, strict=strict, insecure=process.insecure, userns=process.userns
    )
    try:
        if supervisor is None:
            bpf.load(program)
            return
        listener = bpf.load_and_listen(program)
    except OSError as error:
        raise _refusal(error) from error
    supervision.hand_over(supervisor, listener, user)


def _refusal(error: OSError) -> ExecutorUnavailable:
    return ExecutorUnavailable(
        f"root cannot be emulated: {error.strerror}",
        hint="get ids of your own (`img doctor` tells how), or give owners up: --emulate=fake",
    )
