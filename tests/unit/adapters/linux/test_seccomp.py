"""Filters, run instruction by instruction for machines that are not here as well."""

import errno
import re
from pathlib import Path

import pytest

from img.adapters.linux import call_numbers, seccomp
from img.adapters.linux.denied_calls import DENIED
from img.adapters.linux.seccomp import (
    ALLOW,
    MACHINES,
    NOTIFY,
    HasBits,
    IsOneOf,
    LacksBits,
    Machine,
    Rule,
    fail_with,
    program,
)
from tests.bpf_machine import verdict

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


# From arch/arm/tools/syscall.tbl of Linux: no header of this machine has them.
_ARM = """
    26 ptrace  37 kill  51 acct  86 uselib  87 swapon  88 reboot  103 syslog  115 swapoff
    128 init_module  129 delete_module  131 quotactl  135 sysfs  178 rt_sigqueueinfo  238 tkill
    249 lookup_dcookie  268 tgkill  309 add_key  310 request_key  311 keyctl  347 kexec_load
    363 rt_tgsigqueueinfo  364 perf_event_open  369 prlimit64  371 open_by_handle_at
    376 process_vm_readv  377 process_vm_writev  378 kcmp  379 finit_module  386 bpf
    388 userfaultfd  401 kexec_file_load
"""


def test_numbers_of_32_bit_arm_are_those_of_the_kernels_table() -> None:
    words = _ARM.split()
    table = dict(zip(words[1::2], map(int, words[::2]), strict=True))

    own = {name: number for name, number in call_numbers.ARM.items() if number < 424}

    assert own == table


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


def test_what_is_denied_is_known_on_every_machine(machine: Machine) -> None:
    filter_ = program(machine, DENIED)

    for name in (
        *("add_key", "bpf", "io_uring_setup", "kexec_file_load", "kexec_load", "keyctl"),
        *("open_by_handle_at", "perf_event_open", "request_key", "userfaultfd"),
    ):
        assert verdict(filter_, machine.native, machine.calls[name]) == fail_with(errno.EPERM)


def test_a_filter_is_as_short_as_the_kernel_wants_it(machine: Machine) -> None:
    assert len(program(machine, DENIED)) // 8 < 4096  # BPF_MAXINSNS


def test_a_filter_that_was_loaded_holds() -> None:
    if seccomp.this_machine() is None:
        pytest.skip("the calls of this machine have no table")
    from tests.unit.adapters.linux.forked import exit_code_of

    def refused() -> int:
        import ctypes
        import os

        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
        machine = seccomp.this_machine()
        assert machine is not None
        seccomp.load(program(machine, [Rule("mkdirat", fail_with(errno.EXDEV))]))
        try:
            os.mkdir("x", dir_fd=0)
        except OSError as error:
            return error.errno or 0
        return 0

    assert exit_code_of(refused) == errno.EXDEV
