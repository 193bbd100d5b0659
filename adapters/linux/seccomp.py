"""Filters for system calls (seccomp(2)), as BPF programs made here.

A program looks at the architecture of a call first: one machine runs calls of several, each with
numbers of its own.
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
_ERRNO = 0x0005_0000

_X32_BIT = 0x4000_0000
_SET_MODE_FILTER = 1
_NEW_LISTENER = 8
_WAIT_KILLABLE_RECV = 32  # since Linux 5.19
_SECCOMP = {"x86_64": 317, "aarch64": 277}

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


def fail_with(code: int) -> int:
    """Return the action that makes a call fail with errno ``code``; 0: succeed and do nothing."""
    return _ERRNO | code


@dataclass(frozen=True, slots=True)
class HasBits:
    """True where an argument's low 32 bits have any of ``bits``."""

    argument: int
    bits: int


@dataclass(frozen=True, slots=True)
class LacksBits:
    """True where an argument's low 32 bits have none of ``bits``."""

    argument: int
    bits: int


@dataclass(frozen=True, slots=True)
class IsOneOf:
    """True where an argument's low 32 bits, as far as ``mask`` has them, are one of ``values``."""

    argument: int
    values: tuple[int, ...]
    mask: int = 0xFFFF_FFFF


Condition = HasBits | LacksBits | IsOneOf


@dataclass(frozen=True, slots=True)
class Rule:
    """What happens to a call of which all conditions are true. One rule for a call at most."""

    call: str
    action: int
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The architectures whose programs a machine runs, by their AUDIT_ARCH_* (linux/audit.h)."""

    native: int
    calls: Mapping[str, int] = field(repr=False)
    compat: int
    compat_calls: Mapping[str, int] = field(repr=False)


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
"""By ``uname -m``, the machines that filters are known for."""


def this_machine() -> Machine | None:
    """Return the machine this is, None where its call numbers are not known here."""
    return MACHINES.get(os.uname().machine)


def program(machine: Machine, rules: Sequence[Rule], *, compat: int | None = None) -> bytes:
    """Return the filter of ``rules``; all other calls are allowed.

    ``compat`` is what happens to every call of a 32-bit program; None: ``rules`` hold for them
    too. x32 calls, which no kernel of a distribution runs, do not exist.
    """
    native = _block(machine.calls, rules, x32=machine is MACHINES["x86_64"])
    foreign = (
        _block(machine.compat_calls, rules, x32=False)
        if compat is None
        else [_instruction(_RETURN, compat)]
    )
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
    """Put this process, and all it becomes and starts, under the filter; for good."""
    _load(filter_program, 0)


def load_and_listen(filter_program: bytes) -> int:
    """The same, and return the descriptor that calls with the action NOTIFY are told to."""
    try:
        return _load(filter_program, _NEW_LISTENER | _WAIT_KILLABLE_RECV)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    # Without the second flag a signal interrupts a call that was told, and it is made again:
    # Go's scheduler sends enough of them to make that noticeable.
    return _load(filter_program, _NEW_LISTENER)


def prove_listening() -> None:
    """Put this process under a filter that could tell of a call. Raises OSError."""
    machine = this_machine()
    if machine is None:
        raise OSError(errno.ENOSYS, f"call numbers of {os.uname().machine} are not known to img")
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    os.close(load_and_listen(program(machine, [Rule("acct", NOTIFY)])))


def obstacle_to_listening() -> OSError | None:
    """Return why no filter can tell of calls here; a child of this process tries it."""
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


def _block(calls: Mapping[str, int], rules: Sequence[Rule], *, x32: bool) -> list[bytes]:
    block = [_instruction(_LOAD, _NUMBER)]
    if x32:
        block += [
            _instruction(_IF_AT_LEAST, _X32_BIT, 0, 1),
            _instruction(_RETURN, fail_with(errno.ENOSYS)),
        ]
    for rule in rules:
        if rule.call in calls:
            body = _body(rule)
            block += [_instruction(_IF_EQUAL, calls[rule.call], 0, len(body)), *body]
    return [*block, _instruction(_RETURN, ALLOW)]


def _body(rule: Rule) -> list[bytes]:
    body = [_instruction(_RETURN, rule.action)]
    if rule.conditions:
        body.append(_instruction(_RETURN, ALLOW))
    for condition in reversed(rule.conditions):
        body = _test(condition, otherwise=len(body) - 1) + body
    return body


def _test(condition: Condition, *, otherwise: int) -> list[bytes]:
    """Return what goes on with the next instruction, or ``otherwise`` instructions later."""
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


_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def _load(filter_program: bytes, flags: int) -> int:
    number = _SECCOMP.get(os.uname().machine)
    if number is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), "seccomp")
    code = ctypes.create_string_buffer(filter_program, len(filter_program))
    header = struct.pack("HxxxxxxQ", len(filter_program) // 8, ctypes.addressof(code))
    result = _libc.syscall(
        ctypes.c_long(number), ctypes.c_long(_SET_MODE_FILTER), ctypes.c_long(flags), header
    )
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), "seccomp")
    return int(result)
