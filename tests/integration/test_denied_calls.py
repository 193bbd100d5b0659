"""The system calls that are refused to a program in a step, with each executor."""

import json
from collections.abc import Iterator

import pytest

from img.adapters.linux import call_numbers, capabilities
from img.adapters.syscall_supervisor import bpf
from img.application.ports.executor import Executor
from img.domain.process import BindMount, Process
from tests.support.steps import moby_profile
from tests.support.steps.step_roots import Steps, in_env, step_root

pytestmark = pytest.mark.userns

# With invalid arguments: a permitted call fails with EINVAL, EFAULT or ENOSYS.
_CALLER = """
import ctypes, errno, json, sys
libc = ctypes.CDLL(None, use_errno=True)
def answer(number):
    libc.syscall(ctypes.c_long(number), *[ctypes.c_long(-1)] * 6)
    return errno.errorcode.get(ctypes.get_errno())
print(json.dumps({name: answer(number) for name, number in json.loads(sys.argv[1]).items()}))
"""
# The kernel refuses these to no process, so that the refusal is the filter's.
_OPEN_TO_ALL = {"add_key", "keyctl", "request_key"}


DOCKER = frozenset(
    name for bit, name in enumerate(capabilities.NAMES) if capabilities.DOCKER_DEFAULT >> bit & 1
)
REFUSED = {
    name
    for name in call_numbers.X86_64.keys() | call_numbers.AARCH64.keys()
    if not moby_profile.allows(name, -1, DOCKER)
} - {"personality", "socket", "uprobe"}  # two by their argument; no kernel filters the last
# Unknown to Docker's profile, or to the library that runc makes filters with.
LATE = {name for name, number in call_numbers.X86_64.items() if number > 449} | {"clone3"}


@pytest.fixture
def steps(executor: Executor) -> Iterator[Steps]:
    with step_root("directory") as root:
        for name in ("lib", "lib64"):
            root.link(name, f"usr/{name}")
        yield Steps(executor, root)


def answers(steps: Steps, process: Process, names: set[str]) -> dict[str, str]:
    """Return the result of each call for a Python of the host that runs in the step."""
    machine = bpf.this_machine()
    assert machine is not None
    numbers = {name: machine.calls[name] for name in names if name in machine.calls}
    python = ("/usr/bin/python3", "-I", "-S", "-c", _CALLER, json.dumps(numbers))
    status = steps.run(["/bin/sh", "-c", 'exec "$0" "$@"', *python], process=process)
    assert status.success, steps.stderr
    found: dict[str, str] = json.loads(steps.stdout)
    assert found
    return found


def test_denied_calls_fail_as_if_forbidden(steps: Steps) -> None:
    process = in_env(mounts=(BindMount(source="/usr", target="/usr"),))

    found = answers(steps, process, REFUSED)

    assert {"unshare", "setns", "mount", "bpf", "kcmp", "mbind", "userfaultfd"} <= found.keys()
    for name, answer in found.items():
        assert answer in ("EPERM", "ENOSYS") if name in LATE else answer == "EPERM", name


def test_it_is_the_filter_that_refuses(steps: Steps) -> None:
    process = in_env(mounts=(BindMount(source="/usr", target="/usr"),), insecure=True)

    found = answers(steps, process, _OPEN_TO_ALL)

    assert "EPERM" not in found.values()


def test_the_filter_is_there_without_no_new_privs(steps: Steps) -> None:
    status = steps.sh("cat /proc/self/status")

    assert "Seccomp:\t2" in status
    assert "NoNewPrivs:\t0" in status
