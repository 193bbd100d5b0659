"""The system calls that are refused to a step, as a program in one sees it, whatever runs it."""

import json
from collections.abc import Iterator

import pytest

from img.adapters.linux import seccomp
from img.adapters.linux.denied_calls import DENIED
from img.application.ports.executor import Executor
from img.domain.process import BindMount, Process
from tests.executors import ISOLATED, executor_named
from tests.step_roots import Steps, in_env, step_root

pytestmark = pytest.mark.userns

# With arguments that mean nothing: whatever lets such a call through says EINVAL, EFAULT, ENOSYS.
_CALLER = """
import ctypes, errno, json, sys
libc = ctypes.CDLL(None, use_errno=True)
def answer(number):
    libc.syscall(ctypes.c_long(number), *[ctypes.c_long(-1)] * 6)
    return errno.errorcode.get(ctypes.get_errno())
print(json.dumps({name: answer(number) for name, number in json.loads(sys.argv[1]).items()}))
"""
# What the kernel itself refuses nobody, so that the refusal is the filter's.
_OPEN_TO_ALL = {"add_key", "keyctl", "request_key"}


@pytest.fixture(scope="module", params=ISOLATED)
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    executor = executor_named(request.param)
    yield executor
    executor.close()


@pytest.fixture
def steps(executor: Executor) -> Iterator[Steps]:
    with step_root("directory") as root:
        for name in ("lib", "lib64"):
            root.link(name, f"usr/{name}")
        yield Steps(executor, root)


def answers(steps: Steps, process: Process, names: set[str]) -> dict[str, str]:
    """Return what each call says to a Python of the host that runs in the step."""
    machine = seccomp.this_machine()
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

    found = answers(steps, process, {rule.call for rule in DENIED})

    assert set(found.values()) == {"EPERM"}


def test_it_is_the_filter_that_refuses(steps: Steps) -> None:
    process = in_env(mounts=(BindMount(source="/usr", target="/usr"),), insecure=True)

    found = answers(steps, process, _OPEN_TO_ALL)

    assert "EPERM" not in found.values()


def test_the_filter_is_there_without_no_new_privs(steps: Steps) -> None:
    status = steps.sh("cat /proc/self/status")

    assert "Seccomp:\t2" in status
    assert "NoNewPrivs:\t0" in status
