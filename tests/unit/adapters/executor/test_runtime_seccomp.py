"""The filters of a step that a container runtime starts: one before the runtime, one by it."""

import errno
from typing import Any

import pytest

from img.adapters.executor.runtime_seccomp import seccomp_section
from img.adapters.linux import capabilities
from img.adapters.syscall_supervisor import bpf
from img.adapters.syscall_supervisor.allowed_calls import RUNTIME_CALLS, filter_program
from img.adapters.syscall_supervisor.bpf import ALLOW, fail_with
from img.domain.process import Process
from tests.support.steps.bpf_machine import verdict

PROCESS = Process(argv=("true",), env={})
ALLOWED = capabilities.DOCKER_DEFAULT
CONDITIONAL = ("clone", "personality", "socket", "unshare")
# Calls with names that a version of libseccomp does not know: the runtime ignores them.
LIBSECCOMP = {
    "2.5.2": frozenset[str](),
    "2.5.1": frozenset(("mount_setattr",)),
    "2.4.1": frozenset(
        ("fsconfig", "fsmount", "fsopen", "fspick", "mount_setattr", "move_mount", "open_tree")
    ),
}
FIRST_ARGUMENTS = (0, 8, 17, 38, 39, 40, 0x20008, 0x200_0000, 0x1000_0011, 0xFFFF_FFFF)

pytestmark = pytest.mark.skipif(
    bpf.this_machine() is None, reason="the calls of this machine have no table"
)


def said(
    section: Any, name: str, first_argument: int = 0, unknown: frozenset[str] = frozenset()
) -> int:
    """Return the section's action for a call, by the rules of config-linux.md.

    A runtime leaves out the names ``unknown`` to its libseccomp (libcontainer's seccomp_linux.go).
    """
    for entry in section["syscalls"]:
        if name in {*entry["names"]} - unknown and all(
            argument["op"] == "SCMP_CMP_MASKED_EQ"
            and argument["index"] == 0
            and first_argument & argument["value"] == argument["valueTwo"]
            for argument in entry["args"]
        ):
            assert entry["action"] == "SCMP_ACT_ERRNO"
            return fail_with(entry["errnoRet"])
    assert section["defaultAction"] == "SCMP_ACT_ALLOW"
    return ALLOW


def both(first: int, second: int) -> int:
    """Return the result of two filters that only allow or fail: the later filter's errno counts."""
    return first if second == ALLOW else second


@pytest.mark.parametrize("userns", [False, True])
@pytest.mark.parametrize("more", ["", "sys_admin", "sys_chroot", "bpf"])
@pytest.mark.parametrize("compat", [False, True])
def test_both_together_say_what_the_filter_of_other_executors_says(
    more: str, *, userns: bool, compat: bool
) -> None:
    machine = bpf.this_machine()
    assert machine is not None
    allowed = ALLOWED | (capabilities.mask_of(more) if more else 0)
    section = seccomp_section(Process(argv=("true",), env={}, userns=userns), allowed)
    only = filter_program(machine, allowed, userns=userns)
    first = filter_program(machine, allowed, userns=userns, of_runtime=True)
    architecture = machine.compat if compat else machine.native
    calls = machine.compat_calls if compat else machine.calls

    for name, number in calls.items():
        for argument in FIRST_ARGUMENTS if name in CONDITIONAL else (0,):
            alone = verdict(only, architecture, number, (argument,))
            before = verdict(first, architecture, number, (argument,))
            for libseccomp, unknown in LIBSECCOMP.items():
                missing = name in unknown and alone != ALLOW
                expected = fail_with(errno.ENOSYS) if missing else alone
                found = both(before, said(section, name, argument, unknown))
                assert found == expected, (name, libseccomp)


def test_a_runtime_that_ignores_new_names_opens_none_of_their_calls() -> None:
    machine = bpf.this_machine()
    assert machine is not None
    first = filter_program(machine, ALLOWED, of_runtime=True)
    newest = min(machine.calls[name] for name in LIBSECCOMP["2.4.1"])

    for name, number in machine.calls.items():
        if number >= newest and verdict(first, machine.native, number) == ALLOW:
            assert verdict(filter_program(machine, ALLOWED), machine.native, number) == ALLOW, name


def test_calls_without_a_number_are_missing_before_the_runtime_as_well() -> None:
    machine = bpf.this_machine()
    assert machine is not None
    first = filter_program(machine, ALLOWED, of_runtime=True)

    assert verdict(first, machine.native, max(machine.calls.values()) + 1) == fail_with(
        errno.ENOSYS
    )


def test_a_runtime_compiles_few_rules() -> None:
    section: Any = seccomp_section(PROCESS, ALLOWED)

    rules = sum(len(entry["names"]) for entry in section["syscalls"])
    assert rules <= len(RUNTIME_CALLS) + 7  # clone(2) has seven flags for namespaces
    assert len(section["architectures"]) == 2  # 32-bit programs are filtered too


def test_where_no_table_is_whole_the_refused_calls_are_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bpf, "this_machine", lambda: None)

    section: Any = seccomp_section(PROCESS, ALLOWED)

    assert section["defaultAction"] == "SCMP_ACT_ALLOW"
    assert {"bpf", "keyctl", "unshare", "kexec_load"} <= set(section["syscalls"][0]["names"])
