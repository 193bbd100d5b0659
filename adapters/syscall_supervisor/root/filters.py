"""The filter of steps with an emulated root."""

import os
from collections.abc import Iterator
from functools import cache

from img.adapters.syscall_supervisor import allowed_calls, bpf
from img.adapters.syscall_supervisor.bpf import NOTIFY, HasBits, IsOneOf, Machine, Rule, fail_with
from img.adapters.syscall_supervisor.root.attributes import LISTING
from img.adapters.syscall_supervisor.root.capability_records import GETTING, REMOVING, SETTING
from img.adapters.syscall_supervisor.root.identities import RLIMIT_LOCKS
from img.adapters.syscall_supervisor.root.level import Emulation
from img.adapters.syscall_supervisor.root.process_capabilities import CALLS

CHOWN = ("chown", "lchown", "fchown", "fchownat")
SET_IDS = (
    *("setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid"),
    *("setfsuid", "setfsgid", "setgroups"),
)
GET_IDS = ("getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups")
STAT = ("stat", "lstat", "fstat", "newfstatat", "statx")
ACCESS = ("access", "faccessat", "faccessat2")
CREATE = ("creat", "mkdir", "mkdirat", "symlink", "symlinkat", "openat2")
EXECUTE = ("execve", "execveat")
CHANGE = (
    *("unlink", "unlinkat", "rmdir", "rename", "renameat", "renameat2", "link", "linkat"),
    *("chmod", "fchmod", "fchmodat", "fchmodat2"),
)
# After these calls a path may mean another file for the caller than for the supervisor.
LEAVE_ROOT = ("chroot", "unshare", "setns")

_O_TMPFILE = 0o20000000  # without O_DIRECTORY, which it includes
_CREATING = os.O_CREAT | _O_TMPFILE
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_TRUNC
_DEVICES = (0o020000, 0o060000)  # S_IFCHR, S_IFBLK
_KIND = 0o170000
_SOL_SOCKET, _SO_PEERCRED = 1, 17
_PR_SET_KEEPCAPS, _PR_SET_SECUREBITS = 8, 28


def filter_program(
    machine: Machine,
    level: Emulation,
    allowed: int,
    *,
    strict: bool = False,
    insecure: bool = False,
    userns: bool = False,
) -> bytes:
    """Return the filter of a step with the capabilities ``allowed``.

    With a supervisor the calls of 32-bit programs are sent to it and refused: they are not
    emulated. ``strict``: also check what the step's own user may not read or remove. For steps of
    root, which change ids only briefly, that costs more than it gives.
    """
    return _program(machine, level, allowed_calls.relevant(allowed), strict, insecure, userns)


@cache
def _program(
    machine: Machine,
    level: Emulation,
    allowed: int,
    strict: bool,
    insecure: bool,
    userns: bool,
) -> bytes:
    rules = [*rules_of(level, strict=strict)]
    compat = NOTIFY if level.is_supervised else None
    if insecure:
        return bpf.program(machine, rules, compat=compat)
    return bpf.program(
        machine,
        allowed_calls.before(rules, allowed_calls.rules_for(allowed, userns=userns)),
        otherwise=allowed_calls.REFUSED,
        compat=compat,
    )


def rules_of(level: Emulation, *, strict: bool, capabilities: bool = False) -> Iterator[Rule]:
    """Yield the rules for calls that are intercepted, or answered by the filter itself.

    ``capabilities``: also emulate those of files and processes, without a user namespace.
    """
    if capabilities and level.is_supervised:
        yield from _rules((*SETTING, *GETTING, *REMOVING, *CALLS), NOTIFY)
    match level:
        case Emulation.FAKE:
            yield from _rules((*CHOWN, *SET_IDS), fail_with(0))
            yield Rule("mknod", fail_with(0), (IsOneOf(1, _DEVICES, _KIND),))
            yield Rule("mknodat", fail_with(0), (IsOneOf(2, _DEVICES, _KIND),))
        case Emulation.IDS:
            yield from _identity_rules()
            yield Rule("mknod", NOTIFY, (IsOneOf(1, _DEVICES, _KIND),))
            yield Rule("mknodat", NOTIFY, (IsOneOf(2, _DEVICES, _KIND),))
        case Emulation.FULL:
            yield from _identity_rules()
            yield from _rules((*STAT, *ACCESS, *CREATE, *EXECUTE, "mknod", "mknodat"), NOTIFY)
            yield from _rules(LISTING, NOTIFY)
            if strict:
                yield from _rules(("open", "openat", *CHANGE), NOTIFY)
            else:
                yield Rule("open", NOTIFY, (HasBits(1, _CREATING | _WRITING),))
                yield Rule("openat", NOTIFY, (HasBits(2, _CREATING | _WRITING),))
            yield Rule(
                "getsockopt", NOTIFY, (IsOneOf(1, (_SOL_SOCKET,)), IsOneOf(2, (_SO_PEERCRED,)))
            )
        case Emulation.OFF:
            return


def _identity_rules() -> Iterator[Rule]:
    yield from _rules((*CHOWN, *SET_IDS, *GET_IDS, *LEAVE_ROOT), NOTIFY)
    yield Rule("prctl", NOTIFY, (IsOneOf(0, (_PR_SET_KEEPCAPS, _PR_SET_SECUREBITS)),))
    for call, argument in (("getrlimit", 0), ("setrlimit", 0), ("prlimit64", 1)):
        yield Rule(call, NOTIFY, (IsOneOf(argument, (RLIMIT_LOCKS,)),))


def _rules(calls: tuple[str, ...], action: int) -> Iterator[Rule]:
    return (Rule(call, action) for call in calls)
