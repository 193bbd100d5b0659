"""Filters, run instruction by instruction for machines that are not here as well."""

import ctypes
import errno
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.adapters.linux import call_numbers
from img.adapters.syscall_supervisor import bpf
from img.adapters.syscall_supervisor.bpf import (
    ALLOW,
    MACHINES,
    NOTIFY,
    Condition,
    HasBits,
    IsOneOf,
    LacksBits,
    Machine,
    Rule,
    fail_with,
    program,
)
from tests.support.steps.bpf_machine import verdict

DENIED = [
    Rule(call, fail_with(errno.EPERM))
    for call in ("keyctl", "bpf", "io_uring_setup", "perf_event_open", "kexec_load")
]

_HEADERS = {
    "/usr/include/x86_64-linux-gnu/asm/unistd_64.h": call_numbers.X86_64,
    "/usr/include/x86_64-linux-gnu/asm/unistd_32.h": call_numbers.I386,
    "/usr/include/asm-generic/unistd.h": call_numbers.AARCH64,
}


@pytest.fixture(params=MACHINES)
def machine(request: pytest.FixtureRequest) -> Machine:
    return MACHINES[request.param]


@pytest.mark.parametrize("header", _HEADERS)
def test_numbers_are_those_of_the_kernels_headers(header: str) -> None:
    if not Path(header).exists():
        pytest.skip(f"no {header}")
    text = Path(header).read_text()
    names = re.findall(r"^#define __NR(?:3264)?_(\w+)\s+(\d+)", text, flags=re.MULTILINE)
    known = {name: int(number) for name, number in names}
    known["newfstatat"] = known.get("newfstatat", known.get("fstatat", 0))

    numbers = _HEADERS[header]

    assert {name: known[name] for name in numbers if name in known} == {
        name: number for name, number in numbers.items() if name in known
    }


_LIBRARY = "libseccomp.so.2"
_TABLES = {
    # SCMP_ARCH_*, which are AUDIT_ARCH_*
    0xC000_003E: call_numbers.X86_64,
    0x4000_0003: call_numbers.I386,
    0xC000_00B7: call_numbers.AARCH64,
    0x4000_0028: call_numbers.ARM,
}


@pytest.mark.parametrize("architecture", _TABLES, ids=hex)
def test_numbers_are_those_of_libseccomp(architecture: int) -> None:
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError:
        pytest.skip(f"no {_LIBRARY}")
    library.seccomp_syscall_resolve_num_arch.restype = ctypes.c_void_p
    library.seccomp_syscall_resolve_num_arch.argtypes = (ctypes.c_uint32, ctypes.c_int)
    known: dict[str, int] = {}
    for number in (*range(500), *range(983_040, 983_050)):
        place = library.seccomp_syscall_resolve_num_arch(architecture, number)
        if place:  # a string that is the library's to keep or the caller's to free: we are short
            known[ctypes.string_at(place).decode("ascii")] = number
    numbers = _TABLES[architecture]

    assert len(known) > 300
    assert {name: numbers[name] for name in known if name in numbers} == {
        name: number for name, number in known.items() if name in numbers
    }
    assert known.keys() - numbers.keys() <= {"memfd_secret"}


@pytest.mark.parametrize("architecture", _TABLES, ids=hex)
def test_no_number_is_that_of_two_calls(architecture: int) -> None:
    numbers = _TABLES[architecture]

    assert len(set(numbers.values())) == len(numbers)
    assert {numbers[name] for name in ("clone3", "openat2", "mseal")} == {435, 437, 462}


def test_a_rule_acts_on_its_call_alone(machine: Machine) -> None:
    filter_ = program(machine, [Rule("fchown", NOTIFY), Rule("keyctl", fail_with(errno.EPERM))])

    assert verdict(filter_, machine.native, machine.calls["fchown"]) == NOTIFY
    assert verdict(filter_, machine.native, machine.calls["keyctl"]) == fail_with(errno.EPERM)
    for name in machine.calls.keys() - {"fchown", "keyctl"}:
        assert verdict(filter_, machine.native, machine.calls[name]) == ALLOW


def test_conditions_must_all_be_true(machine: Machine) -> None:
    conditions = (HasBits(0, 0x40), IsOneOf(1, (5, 7, 9), 0xFF), LacksBits(2, 0x100))
    filter_ = program(machine, [Rule("openat", NOTIFY, conditions), Rule("fchown", NOTIFY)])
    call = machine.calls["openat"]

    for one in (5, 7, 9):
        assert verdict(filter_, machine.native, call, (0x41, one)) == NOTIFY
        assert verdict(filter_, machine.native, call, (0x41, 0x100 | one)) == NOTIFY
        assert verdict(filter_, machine.native, call, (0x01, one)) == ALLOW
    assert verdict(filter_, machine.native, call, (0x41, 6)) == ALLOW
    assert verdict(filter_, machine.native, call, (0x41, 5, 0x1FF)) == ALLOW
    assert verdict(filter_, machine.native, call, (0x41, 5, 0xFF)) == NOTIFY
    assert verdict(filter_, machine.native, machine.calls["fchown"]) == NOTIFY


def test_rules_hold_for_32_bit_programs_with_their_own_numbers(machine: Machine) -> None:
    filter_ = program(machine, DENIED)

    for name in ("keyctl", "bpf", "io_uring_setup"):
        denied = fail_with(errno.EPERM)
        assert verdict(filter_, machine.compat, machine.compat_calls[name]) == denied
    assert verdict(filter_, machine.compat, 4) == ALLOW


def test_32_bit_programs_may_be_treated_as_a_whole(machine: Machine) -> None:
    filter_ = program(machine, DENIED, compat=NOTIFY)

    assert {verdict(filter_, machine.compat, number) for number in range(500)} == {NOTIFY}


def test_there_are_no_x32_calls_and_no_calls_of_strangers(machine: Machine) -> None:
    filter_ = program(machine, DENIED)
    missing = fail_with(errno.ENOSYS)

    assert verdict(filter_, 0xC000_00F3, 1) == missing
    if machine is MACHINES["x86_64"]:
        assert verdict(filter_, machine.native, 0x4000_0001) == missing


def test_a_filter_is_as_short_as_the_kernel_wants_it(machine: Machine) -> None:
    rules = [Rule(call, NOTIFY, (HasBits(0, 1),)) for call in machine.calls]

    assert len(program(machine, rules)) // 8 < 4096  # BPF_MAXINSNS


_CALLS = tuple(sorted(call_numbers.X86_64.keys() & call_numbers.AARCH64.keys()))
_CONDITIONS = st.one_of(
    st.builds(HasBits, st.integers(0, 5), st.integers(1, 2**32 - 1)),
    st.builds(LacksBits, st.integers(0, 5), st.integers(1, 2**32 - 1)),
    st.builds(
        IsOneOf,
        st.integers(0, 5),
        st.lists(st.integers(0, 20), min_size=1, max_size=50).map(tuple),
        st.sampled_from((0xFFFF_FFFF, 0x7, 0x10)),
    ),
)
_ACTIONS = st.sampled_from((ALLOW, NOTIFY, fail_with(errno.EPERM), fail_with(0)))
_RULES = st.lists(
    st.builds(
        Rule,
        st.sampled_from(_CALLS),
        _ACTIONS,
        st.lists(_CONDITIONS, max_size=3).map(tuple),
    ),
    max_size=60,
)
_ARGUMENTS = st.lists(st.integers(0, 20) | st.integers(0, 2**64 - 1), min_size=6, max_size=6)


def _is_true(condition: Condition, arguments: Sequence[int]) -> bool:
    value = arguments[condition.argument] & 0xFFFF_FFFF
    match condition:
        case HasBits():
            return value & condition.bits != 0
        case LacksBits():
            return value & condition.bits == 0
        case IsOneOf():
            return value & condition.mask in condition.values


@given(
    st.sampled_from(tuple(MACHINES)),
    _RULES,
    st.sampled_from((ALLOW, fail_with(errno.EPERM))),
    st.lists(_ARGUMENTS, min_size=1, max_size=3),
)
def test_the_first_rule_that_is_true_decides(
    name: str, rules: list[Rule], otherwise: int, tried: list[list[int]]
) -> None:
    machine = MACHINES[name]
    filter_ = program(machine, rules, otherwise=otherwise)

    for call in {rule.call for rule in rules} | {"read", "statx"}:
        for arguments in tried:
            true = (
                rule.action
                for rule in rules
                if rule.call == call and all(_is_true(each, arguments) for each in rule.conditions)
            )
            expected = next(true, otherwise)
            assert verdict(filter_, machine.native, machine.calls[call], arguments) == expected
            if call in machine.compat_calls:
                number = machine.compat_calls[call]
                assert verdict(filter_, machine.compat, number, arguments) == expected


@given(st.sampled_from(tuple(MACHINES)), _RULES, st.integers(0, 2**32 - 1))
def test_numbers_of_no_call_are_missing_in_a_list_of_what_is_allowed(
    name: str, rules: list[Rule], number: int
) -> None:
    machine = MACHINES[name]
    filter_ = program(machine, rules, otherwise=fail_with(errno.EPERM))

    if number not in machine.calls.values():
        assert verdict(filter_, machine.native, number) == fail_with(errno.ENOSYS)
    if number not in machine.compat_calls.values():
        assert verdict(filter_, machine.compat, number) == fail_with(errno.ENOSYS)


def test_a_filter_that_was_loaded_holds() -> None:
    if bpf.this_machine() is None:
        pytest.skip("the calls of this machine have no table")
    from tests.unit.adapters.linux.forked import exit_code_of

    def refused() -> int:
        import ctypes
        import os

        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
        machine = bpf.this_machine()
        assert machine is not None
        bpf.load(program(machine, [Rule("mkdirat", fail_with(errno.EXDEV))]))
        try:
            os.mkdir("x", dir_fd=0)
        except OSError as error:
            return error.errno or 0
        return 0

    assert exit_code_of(refused) == errno.EXDEV
