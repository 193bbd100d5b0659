"""The intercepted calls of a step without a /proc, on both machines."""

import errno

import pytest

from img.adapters.linux import capabilities
from img.adapters.syscall_supervisor import allowed_calls
from img.adapters.syscall_supervisor.bpf import ALLOW, MACHINES, NOTIFY, Machine, fail_with
from img.adapters.syscall_supervisor.proc.filters import REACHING, filter_program
from img.adapters.syscall_supervisor.proc.supervisor import handled_calls
from tests.support.steps.bpf_machine import verdict

EMPTY_PATH = 0x1000
REFUSED = fail_with(errno.EPERM)
ALLOWED = capabilities.DOCKER_DEFAULT & ~capabilities.mask_of("sys_chroot")


@pytest.fixture(params=MACHINES)
def machine(request: pytest.FixtureRequest) -> Machine:
    return MACHINES[request.param]


def told(machine: Machine, *arguments: int, insecure: bool = False) -> set[str]:
    program = filter_program(machine, ALLOWED, insecure=insecure)
    return {
        name
        for name, number in machine.calls.items()
        if verdict(program, machine.native, number, arguments) == NOTIFY
    }


def test_every_call_that_is_told_is_answered(machine: Machine) -> None:
    for arguments in ((), (16, 5), (5, 5, 5, 5), (5, 5, 5, 5, 0x400)):
        assert told(machine, *arguments) <= handled_calls()


def test_what_is_about_a_descriptor_is_the_kernels(machine: Machine) -> None:
    paths, descriptors = told(machine), told(machine, 3, 0, EMPTY_PATH, EMPTY_PATH, EMPTY_PATH)

    assert {"newfstatat", "statx", "faccessat2", "execveat"} <= paths
    assert not {"newfstatat", "statx", "faccessat2", "execveat", "fstat"} & descriptors
    assert not paths & {"fstat", "getuid", "renameat", "unlinkat", "mkdirat", "linkat"}
    assert "linkat" in told(machine, 0, 0, 0, 0, 0x400)  # AT_SYMLINK_FOLLOW


def test_only_what_reaches_other_processes_is_told(machine: Machine) -> None:
    assert {"kill", "tgkill", "pidfd_open", "process_vm_readv"} <= told(machine)
    assert "prlimit64" not in told(machine, 0)
    assert "prlimit64" in told(machine, 1)
    assert "ptrace" not in told(machine, 0)  # PTRACE_TRACEME
    assert "ptrace" in told(machine, 16)  # PTRACE_ATTACH


def test_32_bit_programs_reach_no_further(machine: Machine) -> None:
    program = filter_program(machine, ALLOWED, insecure=False)
    calls = machine.compat_calls

    for name in REACHING:
        arguments = (16, 16) if name == "ptrace" else (1,)
        assert verdict(program, machine.compat, calls[name], arguments) == NOTIFY
    for name in ("bpf", "chroot", "kcmp", "keyctl", "kexec_load", "mount", "unshare"):
        assert verdict(program, machine.compat, calls[name]) == REFUSED
    assert verdict(program, machine.compat, calls["socket"], (38,)) == REFUSED


def test_what_is_told_is_allowed_without_a_supervisor(machine: Machine) -> None:
    allowed = allowed_calls.filter_program(machine, ALLOWED)

    for name in told(machine, 16, 5):
        if name != "ptrace":
            assert verdict(allowed, machine.native, machine.calls[name]) == ALLOW


def test_insecure_steps_may_do_all_but_see_the_same(machine: Machine) -> None:
    assert told(machine, insecure=True) == told(machine) - REACHING.keys()
    program = filter_program(machine, ALLOWED, insecure=True)
    assert verdict(program, machine.native, machine.calls["bpf"]) == ALLOW
