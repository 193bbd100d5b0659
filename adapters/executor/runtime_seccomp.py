"""The filter of system calls for a container runtime (config-linux.md, "Seccomp").

The rules are those of the other executors, reduced to as few as possible: each costs runc time.
Numbers above the highest that runc's library knows fail with ENOSYS, as runc does by itself.
"""

import base64
import errno
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

from img.adapters.syscall_supervisor import allowed_calls, bpf
from img.adapters.syscall_supervisor.bpf import (
    ALLOW,
    Condition,
    HasBits,
    IsOneOf,
    LacksBits,
    Machine,
    Rule,
)
from img.domain.process import Process

_Json = Mapping[str, object]

_ARCHITECTURES = {
    # AUDIT_ARCH_* of the machine: its own, and that of its 32-bit programs
    bpf.MACHINES["x86_64"].native: ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86"),
    bpf.MACHINES["aarch64"].native: ("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"),
}


def seccomp_section(process: Process, allowed: int) -> _Json:
    """Return the filter for a step with the capabilities ``allowed``."""
    return _section(bpf.this_machine(), allowed, userns=process.userns)


@cache
def _section(machine: Machine | None, allowed: int, *, userns: bool) -> _Json:
    rules = allowed_calls.rules_for(allowed, userns=userns)
    if machine is None:  # the list of allowed calls would be incomplete
        refused = _entry(allowed_calls.refused_calls(rules), allowed_calls.REFUSED)
        return {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [refused]}
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": errno.EPERM,
        "architectures": list(_ARCHITECTURES[machine.native]),
        "syscalls": list(_entries(rules)),
    }


def annotations(process: Process, allowed: int) -> Mapping[str, str]:
    """Return the compiled filter for crun, as an annotation.

    Compiling it takes crun longer than everything else.
    """
    machine = bpf.this_machine()
    if machine is None:
        return {}
    return {"run.oci.seccomp_bpf_data": _encoded(machine, allowed, userns=process.userns)}


@cache
def _encoded(machine: Machine, allowed: int, *, userns: bool) -> str:
    program = allowed_calls.filter_program(machine, allowed, userns=userns)
    return base64.b64encode(program).decode("ascii")


def _entries(rules: Iterable[Rule]) -> Iterator[_Json]:
    unconditional: dict[int, list[str]] = {}
    for rule in rules:
        if not rule.conditions:
            unconditional.setdefault(rule.action, []).append(rule.call)
    yield from (_entry(names, action) for action, names in unconditional.items())
    for rule in rules:
        if rule.conditions and rule.action != allowed_calls.REFUSED:  # the default action
            for arguments in _alternatives(rule.conditions):
                yield _entry([rule.call], rule.action, arguments)


def _entry(names: Sequence[str], action: int, arguments: Sequence[_Json] = ()) -> _Json:
    entry: dict[str, object] = {"names": list(names), "args": list(arguments)}
    if action == ALLOW:
        return entry | {"action": "SCMP_ACT_ALLOW"}
    return entry | {"action": "SCMP_ACT_ERRNO", "errnoRet": action & bpf.ERRNO_MASK}


def _alternatives(conditions: Sequence[Condition]) -> Iterator[list[_Json]]:
    """Yield arguments that fulfil the only condition; no allowed call has a second one."""
    (condition,) = conditions
    match condition:
        case HasBits(argument, bits):
            ones = (1 << place for place in range(32) if bits >> place & 1)
            yield from ([_masked(argument, bit, bit)] for bit in ones)
        case LacksBits(argument, bits):
            yield [_masked(argument, bits, 0)]
        case IsOneOf(argument, values, mask):
            for first, size in _blocks(values):
                yield [_masked(argument, mask & ~(size - 1), first)]


def _blocks(values: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield (first, size) of blocks that hold all values: sizes are powers of two, and aligned."""
    left = set(values)
    while left:
        first = min(left)
        size = 1
        while first % (size * 2) == 0 and left.issuperset(range(first, first + size * 2)):
            size *= 2
        left.difference_update(range(first, first + size))
        yield first, size


def _masked(argument: int, mask: int, value: int) -> _Json:
    # Not SCMP_CMP_EQ: the kernel only compares the low 32 bits of these arguments.
    return {"index": argument, "op": "SCMP_CMP_MASKED_EQ", "value": mask, "valueTwo": value}
