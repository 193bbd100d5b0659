"""The intercepted calls at each level of the emulation, on both machines."""

import errno
import os

import pytest

from img.adapters.linux import capabilities
from img.adapters.syscall_supervisor import allowed_calls
from img.adapters.syscall_supervisor.bpf import ALLOW, MACHINES, NOTIFY, Machine, fail_with
from img.adapters.syscall_supervisor.root import filters
from img.adapters.syscall_supervisor.root.filters import filter_program
from img.adapters.syscall_supervisor.root.level import Emulation
from img.adapters.syscall_supervisor.root.status import STAT_LAYOUTS
from img.adapters.syscall_supervisor.root.supervisor import handled_calls
from tests.support.steps.bpf_machine import verdict

DO_NOTHING = fail_with(0)
REFUSED = fail_with(errno.EPERM)
ALLOWED = capabilities.DOCKER_DEFAULT


@pytest.fixture(params=MACHINES)
def machine(request: pytest.FixtureRequest) -> Machine:
    return MACHINES[request.param]


def verdicts(machine: Machine, level: Emulation, *arguments: int, **how: bool) -> dict[str, int]:
    program = filter_program(machine, level, ALLOWED, **how)
    return {
        name: verdict(program, machine.native, number, arguments)
        for name, number in machine.calls.items()
    }


def test_every_call_that_is_told_is_answered(machine: Machine) -> None:
    for level in (Emulation.FULL, Emulation.IDS):
        for arguments in ((), (8, 10, 10, 10), (1, 1, 17), (1, 0o020000, 0o020000)):
            for strict in (False, True):
                told = {
                    name
                    for name, action in verdicts(machine, level, *arguments, strict=strict).items()
                    if action == NOTIFY
                }
                assert told <= handled_calls()


def test_full_emulation_tells_all_that_shows_or_makes_owners(machine: Machine) -> None:
    told = verdicts(machine, Emulation.FULL)

    for name in (
        *filters.CHOWN,
        *filters.SET_IDS,
        *filters.GET_IDS,
        *filters.STAT,
        *filters.CREATE,
        *filters.EXECUTE,
        *filters.ACCESS,
        *("mknod", "mknodat", "chroot"),
    ):
        assert told.get(name, NOTIFY) == NOTIFY
    for name in ("openat", "unlinkat", "prlimit64", "prctl", "getsockopt"):
        assert told[name] == ALLOW


def test_opening_is_told_where_it_makes_or_writes(machine: Machine) -> None:
    for flags in (os.O_CREAT, os.O_TMPFILE, os.O_WRONLY, os.O_RDWR, os.O_TRUNC):
        assert verdicts(machine, Emulation.FULL, 0, 0, flags)["openat"] == NOTIFY
        if "open" in machine.calls:
            assert verdicts(machine, Emulation.FULL, 0, flags)["open"] == NOTIFY
    for flags in (os.O_RDONLY, os.O_CLOEXEC, os.O_NOFOLLOW | os.O_PATH):
        assert verdicts(machine, Emulation.FULL, 0, 0, flags)["openat"] == ALLOW
    strict = verdicts(machine, Emulation.FULL, 0, 0, os.O_RDONLY, strict=True)
    assert strict["openat"] == strict["unlinkat"] == strict["fchmodat"] == NOTIFY


def test_ids_alone_leave_stat_to_the_kernel(machine: Machine) -> None:
    told = verdicts(machine, Emulation.IDS, 0, 0o020666, 0o020666)

    assert told["fchownat"] == told["getuid"] == told["mknodat"] == NOTIFY
    assert told["newfstatat"] == told["openat"] == told["execve"] == ALLOW


def test_the_limit_that_carries_identities_is_nobodys_business(machine: Machine) -> None:
    assert verdicts(machine, Emulation.FULL, 10)["setrlimit"] == NOTIFY
    assert verdicts(machine, Emulation.FULL, 7)["setrlimit"] == ALLOW
    assert verdicts(machine, Emulation.FULL, 0, 10)["prlimit64"] == NOTIFY


def test_fakes_succeed_without_anybody(machine: Machine) -> None:
    told = verdicts(machine, Emulation.FAKE, 0, 0o020666, 0o060666)

    assert NOTIFY not in told.values()
    assert told["fchownat"] == told["setresuid"] == told["mknodat"] == DO_NOTHING
    assert verdicts(machine, Emulation.FAKE, 0, 0, 0o010666)["mknodat"] == ALLOW


@pytest.mark.parametrize("level", Emulation)
def test_no_level_allows_what_is_denied_to_all(machine: Machine, level: Emulation) -> None:
    told = verdicts(machine, level)

    without = allowed_calls.filter_program(machine, ALLOWED)
    for name, number in machine.calls.items():
        if verdict(without, machine.native, number) != ALLOW:
            assert told[name] == verdict(without, machine.native, number)
    assert told["unshare"] == told["setns"] == told["keyctl"] == REFUSED
    assert verdicts(machine, level, insecure=True)["keyctl"] == ALLOW


def test_32_bit_programs_are_told_where_somebody_can_refuse_them(machine: Machine) -> None:
    full = filter_program(machine, Emulation.FULL, ALLOWED)
    fake = filter_program(machine, Emulation.FAKE, ALLOWED)

    assert verdict(full, machine.compat, 4) == NOTIFY
    assert verdict(fake, machine.compat, 4) == ALLOW


def test_the_layout_of_a_status_is_known_where_the_calls_are() -> None:
    assert STAT_LAYOUTS.keys() == MACHINES.keys()
    assert (STAT_LAYOUTS["x86_64"].size, STAT_LAYOUTS["aarch64"].size) == (144, 128)


def test_allowed_user_namespaces_are_told_but_for_those_of_control_groups(
    machine: Machine,
) -> None:
    assert verdicts(machine, Emulation.FULL, 0x1000_0000, userns=True)["unshare"] == NOTIFY
    assert verdicts(machine, Emulation.FULL, 0x1200_0000, userns=True)["unshare"] == REFUSED
