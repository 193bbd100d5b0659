"""The numbers of system calls, mounts and processes of a step, which are the same on each machine.

A change that makes them grow makes each step slower. The bounds are a tenth above the numbers of
Linux 6.18 with control groups of version 1, which have a mount each.
"""

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.benchmarks import one_executor
from tests.support.host.machine import lacking, program

STEPS = 4
WAITING = {"poll", "futex", "restart_syscall"}  # how often depends on the load of the machine
FORKING = ("clone", "clone3", "fork", "vfork")
MOUNTING = ("mount", "move_mount")


def calls_of(executor: str, steps: int, work: Path) -> Counter[str]:
    """Return the system calls of all processes of a command that runs ``steps``, by name."""
    place = Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else work)
    directory, table = place / f"img-counts-{os.getpid()}-{steps}", work / "table"
    directory.mkdir()
    try:
        # Other processes mount too, and a process that stands by is replaced then (standby.py).
        alone = [program("unshare"), "--mount"]
        traced = [*alone, program("strace"), "-f", "--summary-only", f"--output={table}"]
        arguments = [one_executor.__file__, executor, str(steps), str(directory)]
        ended = subprocess.run(
            [*traced, sys.executable, *arguments], capture_output=True, text=True, check=False
        )
    finally:
        shutil.rmtree(directory)
    if "PTRACE" in ended.stderr:
        lacking(f"strace cannot trace here: {ended.stderr}")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    rows = [line.split() for line in table.read_text().splitlines()]
    return Counter({row[-1]: int(row[3]) for row in rows if row[0][0].isdigit()})


@pytest.mark.userns
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize(
    ("executor", "calls", "mounts", "processes"),
    [("unshare", 370, 40, 1), ("chroot", 620, 0, 3), ("crun", 940, 60, 2)],
)
def test_a_step_makes_no_more_calls_than_it_did(
    executor: str, calls: int, mounts: int, processes: int, tmp_path: Path
) -> None:
    if executor == "crun":
        program("crun")

    few, many = calls_of(executor, 1, tmp_path), calls_of(executor, 1 + STEPS, tmp_path)

    each = {name: (many[name] - few[name]) / STEPS for name in many if name not in WAITING}
    table = {name: count for name, count in sorted(each.items(), key=lambda row: -row[1]) if count}
    del table["total"]
    assert sum(table.get(name, 0) for name in FORKING) <= processes + 0.5, table
    assert sum(table.get(name, 0) for name in MOUNTING) <= mounts, table
    assert sum(table.values()) <= calls, table
