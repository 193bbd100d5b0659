"""The filter of a step for a container runtime."""

import base64
import errno
from typing import Any

import pytest

from img.adapters.executor.runtime_seccomp import annotations, seccomp_section
from img.adapters.linux import capabilities
from img.adapters.syscall_supervisor import allowed_calls, bpf
from img.adapters.syscall_supervisor.bpf import ALLOW, fail_with
from img.domain.process import Process
from tests.support.steps.bpf_machine import verdict

PROCESS = Process(argv=("true",), env={})
ALLOWED = capabilities.DOCKER_DEFAULT

pytestmark = pytest.mark.skipif(
    bpf.this_machine() is None, reason="the calls of this machine have no table"
)


def said(section: Any, name: str, first_argument: int = 0) -> int:
    """Return the section's action for a call, by the rules of config-linux.md."""
    for entry in section["syscalls"]:
        if name in entry["names"] and all(
            argument["op"] == "SCMP_CMP_MASKED_EQ"
            and argument["index"] == 0
            and first_argument & argument["value"] == argument["valueTwo"]
            for argument in entry["args"]
        ):
            return ALLOW if entry["action"] == "SCMP_ACT_ALLOW" else fail_with(entry["errnoRet"])
    assert section["defaultAction"] == "SCMP_ACT_ERRNO"
    return fail_with(section["defaultErrnoRet"])


@pytest.mark.parametrize("argument", [0, 8, 17, 38, 39, 40, 0x20008, 0x1000_0011, 0xFFFF_FFFF])
@pytest.mark.parametrize("userns", [False, True])
def test_it_says_what_the_filter_of_other_executors_says(argument: int, *, userns: bool) -> None:
    machine = bpf.this_machine()
    assert machine is not None
    process = Process(argv=("true",), env={}, userns=userns)
    section = seccomp_section(process, ALLOWED)
    program = allowed_calls.filter_program(machine, ALLOWED, userns=userns)

    for name, number in machine.calls.items():
        expected = verdict(program, machine.native, number, (argument,))
        answer = said(section, name, argument)
        if expected == ALLOW or number <= allowed_calls_end(machine):
            assert answer == expected, name


def allowed_calls_end(machine: bpf.Machine) -> int:
    """Return the highest number that is allowed: the runtime answers for those above it."""
    program = allowed_calls.filter_program(machine, ALLOWED)
    numbers = machine.calls.values()
    return max(each for each in numbers if verdict(program, machine.native, each) == ALLOW)


def test_there_are_as_few_entries_as_can_be() -> None:
    section: Any = seccomp_section(PROCESS, ALLOWED)
    conditional = [entry for entry in section["syscalls"] if entry["args"]]

    assert len([entry for entry in conditional if entry["names"] == ["socket"]]) == 7
    assert len(conditional) <= 13


def test_32_bit_programs_are_filtered_too() -> None:
    section: Any = seccomp_section(PROCESS, ALLOWED)

    assert len(section["architectures"]) == 2
    assert said(section, "umount") == fail_with(errno.EPERM)
    assert said(section, "socketcall") == ALLOW


def test_crun_gets_the_very_program_of_other_executors() -> None:
    machine = bpf.this_machine()
    assert machine is not None

    data = annotations(PROCESS, ALLOWED)["run.oci.seccomp_bpf_data"]

    assert base64.b64decode(data) == allowed_calls.filter_program(machine, ALLOWED)


def test_where_no_table_is_whole_the_refused_calls_are_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bpf, "this_machine", lambda: None)

    section: Any = seccomp_section(PROCESS, ALLOWED)

    assert section["defaultAction"] == "SCMP_ACT_ALLOW"
    assert {"bpf", "keyctl", "unshare", "kexec_load"} <= set(section["syscalls"][0]["names"])
    assert annotations(PROCESS, ALLOWED) == {}
