"""The system calls of steps, compared with those that Docker allows."""

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.adapters.linux import capabilities
from img.adapters.syscall_supervisor.allowed_calls import filter_program, rules_for
from img.adapters.syscall_supervisor.bpf import ALLOW, MACHINES, Machine, fail_with
from tests.support.steps import moby_profile
from tests.support.steps.bpf_machine import verdict

DOCKER = frozenset(
    name
    for bit, name in enumerate(capabilities.NAMES)
    if capabilities.DOCKER_DEFAULT >> bit & 1
)  # fmt: skip
REFUSED, MISSING = fail_with(errno.EPERM), fail_with(errno.ENOSYS)
CLONE_NEWUSER, CLONE_NEWCGROUP = 0x1000_0000, 0x0200_0000
KINDS = [(name, compat) for name in MACHINES for compat in (False, True)]


class Kind:
    """The programs of one architecture, as a filter sees their calls."""

    def __init__(self, machine: Machine, *, compat: bool) -> None:
        self._machine = machine
        self._architecture = machine.compat if compat else machine.native
        self.calls = machine.compat_calls if compat else machine.calls

    def says(
        self, call: int, *arguments: int, allowed: int = capabilities.DOCKER_DEFAULT, **how: bool
    ) -> int:
        program = filter_program(self._machine, allowed, **how)
        return verdict(program, self._architecture, call, arguments)


@pytest.fixture(params=KINDS, ids=lambda kind: f"{kind[0]}-{'32' if kind[1] else '64'}")
def kind(request: pytest.FixtureRequest) -> Kind:
    name, compat = request.param
    return Kind(MACHINES[name], compat=compat)


def test_what_docker_allows_is_allowed_and_nothing_else(kind: Kind) -> None:
    for name, number in kind.calls.items():
        expected = ALLOW if moby_profile.allows(name, 0, DOCKER) else REFUSED
        if name == "clone3" or (expected == REFUSED and moby_profile.HIGHEST < number < 10_000):
            expected = MISSING
        assert kind.says(number) == expected, name


@pytest.mark.parametrize("name", capabilities.NAMES)
def test_what_takes_a_capability_is_allowed_with_that_one(kind: Kind, name: str) -> None:
    for call, number in kind.calls.items():
        allowed = moby_profile.allows(call, 0, frozenset((name,)))
        said = kind.says(number, allowed=capabilities.mask_of(name))
        assert (said == ALLOW) == allowed, call


@given(st.sampled_from(KINDS), st.integers(0, 2**64 - 1) | st.integers(0, 200))
def test_arguments_are_looked_at_as_the_kernel_does(which: tuple[str, bool], value: int) -> None:
    kind = Kind(MACHINES[which[0]], compat=which[1])
    low = value & 0xFFFF_FFFF
    for call in ("clone", "personality"):
        allowed = moby_profile.allows(call, low)
        assert kind.says(kind.calls[call], value) == (ALLOW if allowed else REFUSED)
    if "socket" in kind.calls:
        # The kernel has no family from AF_MAX on: not even Docker's containers get a socket.
        allowed = moby_profile.allows("socket", low) and low < 46
        assert kind.says(kind.calls["socket"], value) == (ALLOW if allowed else REFUSED)


def test_every_namespace_is_refused_to_clone(kind: Kind) -> None:
    for bit in (17, *range(25, 31)):
        assert kind.says(kind.calls["clone"], 1 << bit | 17) == REFUSED
    for thread in (0x3D0F00, 0x1200011, 0x4111):  # pthread_create, fork and vfork of glibc
        assert kind.says(kind.calls["clone"], thread) == ALLOW


def test_later_and_missing_calls_are_unknown(kind: Kind) -> None:
    last = max(number for number in kind.calls.values() if number < 10_000)
    for number in (last + 1, last + 100, 5000, 0x4000_0001, 0xFFFF_FFFF):
        assert kind.says(number) == MISSING
    between = set(range(last)) - set(kind.calls.values())
    assert {kind.says(number) for number in between} <= {MISSING}


def test_user_namespaces_can_be_allowed_but_not_those_of_control_groups(kind: Kind) -> None:
    for call in ("clone", "unshare"):
        number = kind.calls[call]
        assert kind.says(number, CLONE_NEWUSER) == REFUSED
        assert kind.says(number, 0x7C02_0000, userns=True) == ALLOW
        assert kind.says(number, CLONE_NEWUSER | CLONE_NEWCGROUP, userns=True) == REFUSED
    for call in ("mount", "umount2", "pivot_root", "setns", "sethostname", "fsopen"):
        assert kind.says(kind.calls[call]) == REFUSED
        assert kind.says(kind.calls[call], userns=True) == ALLOW
    assert kind.says(kind.calls["clone3"], userns=True) == MISSING
    for call in ("bpf", "keyctl", "perf_event_open", "kexec_load", "init_module"):
        assert kind.says(kind.calls[call], userns=True) == REFUSED


def test_every_name_is_a_call_somewhere() -> None:
    tables = [*MACHINES.values()]
    known = {name for machine in tables for name in (*machine.calls, *machine.compat_calls)}

    everything = (1 << len(capabilities.NAMES)) - 1

    assert {rule.call for rule in rules_for(everything, userns=True)} <= known


def test_a_call_costs_a_dozen_instructions() -> None:
    for machine in MACHINES.values():
        program = filter_program(machine, capabilities.DOCKER_DEFAULT)
        for name in machine.calls.keys() - {"personality", "socket"}:
            executed: list[int] = []
            verdict(program, machine.native, machine.calls[name], executed=executed)
            assert len(executed) <= 16, name
