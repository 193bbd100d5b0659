"""The part of a step's filter of system calls that a container runtime has to load.

Compiling the whole list takes a runtime 15 ms for each step (config-linux.md, "Seccomp"; libseccomp
sorts the rules of each architecture). So the process that executes the runtime loads a compiled
filter first (privileges.confine), which allows what the runtime needs besides; the runtime loads a
second filter that refuses it. The kernel asks both, and the stricter answer counts (seccomp(2)).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

from img.adapters.syscall_supervisor import allowed_calls, bpf
from img.adapters.syscall_supervisor.allowed_calls import REFUSED, RUNTIME_CALLS
from img.adapters.syscall_supervisor.bpf import HasBits, Machine, Rule
from img.domain.process import Process

_Json = Mapping[str, object]

_ARCHITECTURES = {
    # AUDIT_ARCH_* of the machine: its own, and that of its 32-bit programs
    bpf.MACHINES["x86_64"].native: ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86"),
    bpf.MACHINES["aarch64"].native: ("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"),
}


def seccomp_section(process: Process, allowed: int) -> _Json:
    """Return the filter that the runtime loads for a step with the capabilities ``allowed``.

    Where no filter is compiled for this machine, it refuses as much as can be refused by name.
    """
    return _section(bpf.this_machine(), allowed, userns=process.userns)


@cache
def _section(machine: Machine | None, allowed: int, *, userns: bool) -> _Json:
    rules = allowed_calls.rules_for(allowed, userns=userns)
    entries: Sequence[_Json]
    if machine is None:  # the list of allowed calls would be incomplete
        entries, architectures = [_entry(allowed_calls.refused_calls(rules))], {}
    else:
        entries = [*_refusals(rules)]
        architectures = {"architectures": list(_ARCHITECTURES[machine.native])}
    return {"defaultAction": "SCMP_ACT_ALLOW", **architectures, "syscalls": entries}


def _refusals(rules: Iterable[Rule]) -> Iterator[_Json]:
    """Yield entries that refuse what ``rules`` refuse of RUNTIME_CALLS."""
    ruled = [rule for rule in rules if rule.call in RUNTIME_CALLS]
    yield _entry(sorted(RUNTIME_CALLS - {rule.call for rule in ruled}))
    for rule in ruled:
        if rule.action == REFUSED:  # the other rules of such a call allow the rest
            (condition,) = rule.conditions
            assert isinstance(condition, HasBits)
            ones = (1 << place for place in range(32) if condition.bits >> place & 1)
            yield from (_entry([rule.call], [_has(condition.argument, bit)]) for bit in ones)


def _entry(names: Sequence[str], arguments: Sequence[_Json] = ()) -> _Json:
    return {
        "names": list(names),
        "args": list(arguments),
        "action": "SCMP_ACT_ERRNO",
        "errnoRet": REFUSED & bpf.ERRNO_MASK,
    }


def _has(argument: int, bit: int) -> _Json:
    return {"index": argument, "op": "SCMP_CMP_MASKED_EQ", "value": bit, "valueTwo": bit}
