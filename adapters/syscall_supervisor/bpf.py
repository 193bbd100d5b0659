"""Filters for system calls (seccomp(2)), assembled as BPF programs.

A program checks the architecture of a call first: one machine runs programs of several, each with
its own numbers. Then it searches for the number in a balanced tree of ranges, so that a rule for
every call costs about eight comparisons.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import field

from img.adapters.linux import call_numbers, syscalls
from img.domain.dataclass import dataclass

ALLOW = 0x7FFF_0000
NOTIFY = 0x7FC0_0000
ERRNO_MASK = 0xFFFF  # the part of a failing action with the error number
_ERRNO = 0x0005_0000

_X32_BIT = 0x4000_0000
_SET_MODE_FILTER = 1
_NEW_LISTENER = 8
_WAIT_KILLABLE_RECV = 32  # since Linux 5.19

# Classic BPF (linux/bpf_common.h): LD|W|ABS, ALU|AND|K, JMP|JA, JMP|JEQ|K, JMP|JGE|K, JMP|JSET|K,
# RET|K; and the offsets in struct seccomp_data.
_LOAD, _AND, _JUMP, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT, _RETURN = (
    0x20,
    0x54,
    0x05,
    0x15,
    0x35,
    0x45,
    0x06,
)
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_LONGEST_JUMP = 255  # instructions, of a conditional jump


def fail_with(code: int) -> int:
    """Return the action that makes a call fail with errno ``code``; 0: succeed and do nothing."""
    return _ERRNO | code


@dataclass(frozen=True, slots=True)
class HasBits:
    """True if any of ``bits`` is set in the low 32 bits of an argument."""

    argument: int
    bits: int


@dataclass(frozen=True, slots=True)
class LacksBits:
    """True if none of ``bits`` is set in the low 32 bits of an argument."""

    argument: int
    bits: int


@dataclass(frozen=True, slots=True)
class IsOneOf:
    """True if the low 32 bits of an argument, masked with ``mask``, are one of ``values``."""

    argument: int
    values: tuple[int, ...]
    mask: int = 0xFFFF_FFFF


Condition = HasBits | LacksBits | IsOneOf


@dataclass(frozen=True, slots=True)
class Rule:
    """The action for a call if all conditions are true. A call may have several rules."""

    call: str
    action: int
    conditions: tuple[Condition, ...] = ()


_Decision = tuple[tuple[tuple[Condition, ...], int], ...]
"""Conditions and the action if all are true, in order; the last has no conditions."""

_Piece = tuple[int, _Decision]
"""The first number of a range, and the decision about the calls in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The architectures that a machine runs programs of, by AUDIT_ARCH_* (linux/audit.h)."""

    native: int
    calls: Mapping[str, int] = field(repr=False, compare=False)
    compat: int
    compat_calls: Mapping[str, int] = field(repr=False, compare=False)


MACHINES = {
    "x86_64": Machine(
        native=0xC000_003E,
        calls=call_numbers.X86_64,
        compat=0x4000_0003,
        compat_calls=call_numbers.I386,
    ),
    "aarch64": Machine(
        native=0xC000_00B7,
        calls=call_numbers.AARCH64,
        compat=0x4000_0028,
        compat_calls=call_numbers.ARM,
    ),
}
"""The supported machines, by ``uname -m``."""


def this_machine() -> Machine | None:
    """Return the description of this machine, None for an unsupported architecture."""
    return MACHINES.get(os.uname().machine)


def program(
    machine: Machine,
    rules: Sequence[Rule],
    *,
    otherwise: int = ALLOW,
    compat: int | None = None,
) -> bytes:
    """Return the filter for ``rules``: the first rule of a call with true conditions decides.

    ``otherwise`` is the action for a call without such a rule. Unless that is ALLOW, an unknown
    call number fails with ENOSYS: C libraries then try the older call, which they do not after
    EPERM. ``compat`` is the action for every call of a 32-bit program; None: ``rules`` apply to
    them too. x32 calls do not exist, as in most kernels.
    """
    missing = ALLOW if otherwise == ALLOW else fail_with(errno.ENOSYS)
    decisions = _decisions(rules, otherwise)
    pieces = _pieces(machine.calls, decisions, otherwise, missing)
    if machine is MACHINES["x86_64"]:
        pieces = _with_end(pieces, _X32_BIT, fail_with(errno.ENOSYS))
    native = [_instruction(_LOAD, _NUMBER), *_tree(pieces)]
    if compat is None:
        pieces = _pieces(machine.compat_calls, decisions, otherwise, missing)
        foreign = [_instruction(_LOAD, _NUMBER), *_tree(pieces)]
    else:
        foreign = [_instruction(_RETURN, compat)]
    head = [
        _instruction(_LOAD, _ARCHITECTURE),
        _instruction(_IF_EQUAL, machine.native, 0, 1),
        _instruction(_JUMP, 3),
        _instruction(_IF_EQUAL, machine.compat, 0, 1),
        _instruction(_JUMP, 1 + len(native)),
        _instruction(_RETURN, fail_with(errno.ENOSYS)),
    ]
    return b"".join([*head, *native, *foreign])


def load(filter_program: bytes) -> None:
    """Load the filter for this process and all its descendants, permanently."""
    _load(filter_program, 0)


def load_and_listen(filter_program: bytes) -> int:
    """Load the filter, and return the descriptor that receives the calls with the action NOTIFY."""
    try:
        return _load(filter_program, _NEW_LISTENER | _WAIT_KILLABLE_RECV)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    # Without the second flag a signal interrupts a call that is being answered, and the call is
    # repeated: Go's scheduler sends enough signals to make that noticeable.
    return _load(filter_program, _NEW_LISTENER)


def prove_listening() -> None:
    """Load a filter that could send notifications into this process. Raises OSError."""
    machine = this_machine()
    if machine is None:
        raise OSError(errno.ENOSYS, f"call numbers of {os.uname().machine} are not known to img")
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    os.close(load_and_listen(program(machine, [Rule("acct", NOTIFY)])))


def obstacle_to_listening() -> OSError | None:
    """Return why filters cannot send notifications here; a child process tries it."""
    pid = os.fork()
    if pid == 0:
        code = errno.ENOSYS
        try:
            prove_listening()
            code = 0
        except OSError as error:
            code = error.errno or code
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return OSError(code, os.strerror(code)) if code else None


def _decisions(rules: Sequence[Rule], otherwise: int) -> dict[str, _Decision]:
    """Return the decision for each call; rules after an unconditional one are left out."""
    found: dict[str, _Decision] = {}
    for rule in rules:
        before = found.get(rule.call, ())
        if not before or before[-1][0]:
            found[rule.call] = (*before, (rule.conditions, rule.action))
    return {
        call: decision if not decision[-1][0] else (*decision, ((), otherwise))
        for call, decision in found.items()
    }


def _pieces(
    calls: Mapping[str, int], decisions: Mapping[str, _Decision], otherwise: int, missing: int
) -> list[_Piece]:
    """Return the starts of the ranges of numbers with equal decisions, in order."""
    undecided: _Decision = (((), otherwise),)
    unknown: _Decision = (((), missing),)
    pieces: list[_Piece] = []
    following = 0
    for name, number in sorted(calls.items(), key=_number_of):
        if number > following:
            _append(pieces, following, unknown)
        _append(pieces, number, decisions.get(name, undecided))
        following = number + 1
    _append(pieces, following, unknown)
    return pieces


def _number_of(call: tuple[str, int]) -> int:
    return call[1]


def _append(pieces: list[_Piece], start: int, decision: _Decision) -> None:
    if not pieces or pieces[-1][1] != decision:
        pieces.append((start, decision))


def _with_end(pieces: list[_Piece], start: int, action: int) -> list[_Piece]:
    """Return ``pieces`` with ``action`` for all numbers from ``start`` on."""
    cut = [piece for piece in pieces if piece[0] < start]
    _append(cut, start, (((), action),))
    return cut


def _tree(pieces: Sequence[_Piece]) -> list[bytes]:
    if len(pieces) == 1:
        return _body(pieces[0][1])
    middle = len(pieces) // 2
    left, right = _tree(pieces[:middle]), _tree(pieces[middle:])
    if len(left) <= _LONGEST_JUMP:
        return [_instruction(_IF_AT_LEAST, pieces[middle][0], len(left), 0), *left, *right]
    branch = _instruction(_IF_AT_LEAST, pieces[middle][0], 0, 1)
    return [branch, _instruction(_JUMP, len(left)), *left, *right]


def _body(decision: _Decision) -> list[bytes]:
    body: list[bytes] = []
    for conditions, action in decision:
        part = [_instruction(_RETURN, action)]
        for condition in reversed(conditions):
            part = _test(condition, otherwise=len(part)) + part
        body += part
    return body


def _test(condition: Condition, *, otherwise: int) -> list[bytes]:
    """Return a test that continues with the next instruction, or ``otherwise`` later."""
    load = _instruction(_LOAD, _ARGUMENTS + 8 * condition.argument)
    match condition:
        case HasBits():
            return [load, _instruction(_IF_ANY_BIT, condition.bits, 0, otherwise)]
        case LacksBits():
            return [load, _instruction(_IF_ANY_BIT, condition.bits, otherwise, 0)]
        case IsOneOf():
            last = len(condition.values) - 1
            return [
                load,
                _instruction(_AND, condition.mask),
                *(
                    _instruction(_IF_EQUAL, value, last - i, otherwise if i == last else 0)
                    for i, value in enumerate(condition.values)
                ),
            ]


def _instruction(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, operand)


def _load(filter_program: bytes, flags: int) -> int:
    machine = this_machine()
    if machine is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), "seccomp")
    code = ctypes.create_string_buffer(filter_program, len(filter_program))
    header = struct.pack("HxxxxxxQ", len(filter_program) // 8, ctypes.addressof(code))
    result = syscalls.libc.syscall(
        ctypes.c_long(machine.calls["seccomp"]),
        ctypes.c_long(_SET_MODE_FILTER),
        ctypes.c_long(flags),
        header,
    )
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), "seccomp")
    return int(result)
