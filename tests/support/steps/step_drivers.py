"""Command lines of one step, for tests that end them, and the processes of a step that are left."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.host.machine import REPOSITORY
from tests.support.host.waiting import wait_until, wait_while

_PATIENCE_S = 20.0  # for what a busy machine starts late
_DRIVER = """
import sys, threading
sys.path.insert(0, {repository!r})
from img.domain.process import DirectoryRoot, Process
from tests.support.steps.executors import executor_named
executor_named({executor!r}).run(
    Process(argv=("/bin/sh", "-c", {script!r}), env={{}}, user={user!r}),
    DirectoryRoot(path={path!r}), lambda *_: None, threading.Event(),
)
"""


def processes(command: str) -> list[str]:
    """Return the pids of those that run exactly ``command``."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        except OSError:
            continue
        if b" ".join(line).decode(errors="replace") == command:
            found.append(pid)
    return found


def driver_of(path: Path, script: str, user: str = "", executor: str = "unshare") -> str:
    """Return a program that runs one step, in the directory ``path``."""
    return _DRIVER.format(
        repository=str(REPOSITORY), script=script, user=user, path=str(path), executor=executor
    )


def start_driver(
    path: Path, script: str, user: str, executor: str = "unshare"
) -> "subprocess.Popen[bytes]":
    """Start a command line that runs one step."""
    program = driver_of(path, script, user, executor)
    return subprocess.Popen(
        [sys.executable, "-c", program], start_new_session=True, stderr=subprocess.PIPE
    )


def wait_until_gone_from(directory: Path) -> None:
    """Wait until what stood beside a root is in it again."""
    wait_until(lambda: len(os.listdir(directory)) == 1, f"{directory} has one entry", patience_s=5)


def wait_until_gone(command: str) -> None:
    assert not wait_while(lambda: processes(command), patience_s=5)


def wait_for(command: str, count: int = 1, driver: "subprocess.Popen[bytes] | None" = None) -> None:
    def runs() -> bool:
        if driver and driver.poll() is not None:
            raise AssertionError(f"{command} does not run: {driver.communicate()}")
        return len(processes(command)) >= count

    wait_until(runs, f"{command} runs", patience_s=_PATIENCE_S)


def kill(driver: "subprocess.Popen[bytes]", how: signal.Signals) -> None:
    os.killpg(driver.pid, how)
    driver.communicate()
