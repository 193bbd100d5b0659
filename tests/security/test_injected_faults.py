"""Each system call of a step's first process fails once: each time the step is refused or runs."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from img.adapters.executor.fork_server_executor import ForkServerExecutor
from img.adapters.linux.processes import children_of_all
from img.domain.errors import ImgError
from tests.security.traps import Traps, traps_in
from tests.support.host.machine import lacking
from tests.support.host.waiting import last_of
from tests.support.steps.executors import executor_named
from tests.support.steps.step_roots import StepRoot, Steps, in_env, step_root

pytestmark = pytest.mark.userns
ERRORS = ("EPERM", "EIO", "ENOMEM", "EINTR", "ENOENT")
PARTS = 4  # for several workers
STEP = in_env(user="app", cwd="/made/here", env={"A": "b"})
STARTS = frozenset({"execve", "execveat"})
OF_CHROOT = (
    *("capset", "chdir", "chroot", "close_range", "execve", "execveat"),
    *("fchdir", "keyctl", "mkdir", "openat2", "prctl", "seccomp"),
    *("setgroups", "setresgid", "setresuid", "setsid", "prlimit64", "getcwd"),
    "landlock_restrict_self",
)


def strace() -> str:
    return shutil.which("strace") or lacking("strace is not installed")


@pytest.fixture
def root() -> Iterator[StepRoot]:
    with step_root("directory") as made:
        made.write("etc/passwd", "app:x:1000:1001::/:/bin/sh\n")
        yield made


@pytest.fixture
def traps(root: StepRoot, tmp_path: Path) -> Iterator[Traps]:
    with traps_in(root.changed, tmp_path / "marker") as traps:
        yield traps


def server_of(steps: Steps) -> int:
    assert isinstance(steps.executor, ForkServerExecutor)
    assert steps.executor._server is not None
    return steps.executor._server._pid


def traced(pid: int, *options: str) -> "subprocess.Popen[str]":
    """Return a strace that is attached to ``pid``."""
    tracer = subprocess.Popen(
        [strace(), *options, "-p", str(pid)], stderr=subprocess.PIPE, text=True
    )
    assert tracer.stderr is not None
    said = tracer.stderr.readline()
    if "attached" not in said:
        lacking(f"strace cannot trace here: {said}")
    return tracer


def waiting_child(steps: Steps) -> int:
    (pid,) = children_of_all()[server_of(steps)]
    return pid


def outcome(steps: Steps) -> str:
    try:
        status = steps.run(["/bin/true"], process=STEP)
    except ImgError as error:
        return f"refused: {error}"
    return f"exit code {status.code}"


def calls_of(steps: Steps, tmp_path: Path) -> list[tuple[str, int]]:
    """Return the system calls until Python runs no more, each with which of its name it is."""
    steps.run(["/bin/true"], process=STEP)
    log = tmp_path / "calls"

    def names_of_calls() -> list[str]:
        tracer = traced(waiting_child(steps), "-o", str(log))
        assert outcome(steps) == "exit code 0"
        tracer.communicate()
        return [line.partition("(")[0] for line in log.read_text().splitlines()]

    # If mounts of the machine change, another process than the waiting one runs the step.
    names = last_of(names_of_calls, STARTS.intersection, patience_s=60)
    names = names[: min(map(names.index, STARTS & set(names))) + 1]
    return [(name, names[:number].count(name) + 1) for number, name in enumerate(names)]


@pytest.mark.parametrize("part", range(PARTS))
def test_a_fault_at_any_call_is_a_refusal_or_no_matter(
    part: int, root: StepRoot, traps: Traps, tmp_path: Path
) -> None:
    executor = executor_named("unshare")
    steps = Steps(executor, root)
    try:
        for number, (call, which) in list(enumerate(calls_of(steps, tmp_path)))[part::PARTS]:
            how = f"inject={call}:error={ERRORS[number % len(ERRORS)]}:when={which}"
            steps.run(["/bin/true"], process=STEP)
            tracer = traced(waiting_child(steps), "-o", os.devnull, "-e", how)
            ended = outcome(steps)
            tracer.communicate()

            assert ended == "exit code 0" or ended.startswith("refused: "), (how, ended)
            assert not traps.sprung(), how
    finally:
        executor.close()


@pytest.mark.parametrize("call", OF_CHROOT)
def test_a_fault_in_a_changed_root_is_a_refusal_or_no_matter(
    call: str, root: StepRoot, traps: Traps
) -> None:
    executor = executor_named("chroot")
    steps = Steps(executor, root)
    try:
        steps.run(["/bin/true"], process=STEP)
        for number in (1, 2, 3):
            how = f"inject={call}:error={ERRORS[number]}:when={number}"
            tracer = traced(server_of(steps), "-f", "-o", os.devnull, "-e", how)
            ended = outcome(steps)
            tracer.terminate()
            tracer.communicate()

            assert ended == "exit code 0" or ended.startswith("refused: "), (number, ended)
            assert not traps.sprung(), number
    finally:
        executor.close()
