"""The filter of steps without a /proc of their own."""

from functools import cache

from img.adapters.linux.syscalls import AT_EMPTY_PATH
from img.adapters.syscall_supervisor import allowed_calls, bpf
from img.adapters.syscall_supervisor.bpf import (
    NOTIFY,
    Condition,
    HasBits,
    IsOneOf,
    LacksBits,
    Machine,
    Rule,
)

# The calls with which builds access files of /proc. Other calls find an empty directory there.
_FILES = (
    *("open", "openat", "openat2", "creat", "readlink", "readlinkat", "stat", "lstat"),
    *("access", "faccessat", "chdir", "statfs", "execve", "chmod", "fchmodat"),
    *("getxattr", "lgetxattr", "listxattr", "llistxattr"),
)
# Index of the argument with the flags: without a path these calls are about a descriptor, as
# fstat(3) is.
_FILES_OR_DESCRIPTORS = (
    *(("newfstatat", 3), ("statx", 2), ("faccessat2", 3), ("execveat", 4), ("fchmodat2", 3)),
)
_AT_SYMLINK_FOLLOW = 0x400
_PTRACE_ATTACH, _PTRACE_SEIZE = 16, 0x4206
_ANY_BIT = 0xFFFF_FFFF

REACHING = {
    "kill": (0,),
    "tkill": (0,),
    "tgkill": (1,),
    "rt_sigqueueinfo": (0,),
    "rt_tgsigqueueinfo": (1,),
    "pidfd_open": (0,),
    "ptrace": (1,),
    "process_vm_readv": (0,),
    "process_vm_writev": (0,),
    "prlimit64": (0,),
}
"""Calls that affect another process, and the indexes of the arguments that name it."""

_CONDITIONS: dict[str, tuple[Condition, ...]] = {
    "ptrace": (IsOneOf(0, (_PTRACE_ATTACH, _PTRACE_SEIZE)),),
    "prlimit64": (HasBits(0, _ANY_BIT),),  # 0 is the caller
}


def filter_program(machine: Machine, allowed: int, *, insecure: bool) -> bytes:
    """Return the filter of a step with the capabilities ``allowed``.

    32-bit programs get no /proc; their access to other processes is limited in the same way.
    """
    return _program(machine, allowed_calls.relevant(allowed), insecure)


@cache
def _program(machine: Machine, allowed: int, insecure: bool) -> bytes:
    rules = [Rule(call, NOTIFY) for call in _FILES]
    for call, flags in _FILES_OR_DESCRIPTORS:
        rules.append(Rule(call, NOTIFY, (LacksBits(flags, AT_EMPTY_PATH),)))
    # Without the flag the call is about the link of /proc itself, which has no other name.
    rules.append(Rule("linkat", NOTIFY, (HasBits(4, _AT_SYMLINK_FOLLOW),)))
    if insecure:
        return bpf.program(machine, rules)
    rules += [Rule(call, NOTIFY, _CONDITIONS.get(call, ())) for call in REACHING]
    return bpf.program(
        machine,
        allowed_calls.before(rules, allowed_calls.rules_for(allowed)),
        otherwise=allowed_calls.REFUSED,
    )
