"""Contract tests of locks on the state."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from img.adapters.state_lock.file import FileStateLock
from img.adapters.state_lock.memory import MemoryStateLock
from img.application.ports.state_lock import StateLock
from img.testing.state_lock import StateLockContract

Make = Callable[[Path], StateLock]


@pytest.fixture(params=[FileStateLock, lambda _: MemoryStateLock()])
def lock(request: pytest.FixtureRequest, tmp_path: Path) -> StateLock:
    make: Make = request.param
    return make(tmp_path / "state")


class TestStateLock(StateLockContract):
    pass


WORK = """
import sys, time
from pathlib import Path
from img.adapters.state_lock.file import FileStateLock
with FileStateLock(Path(sys.argv[1])).working():
    print("working", flush=True)
    time.sleep(600)  # until it is killed
"""


def test_work_ends_with_its_process_however_that_ends(tmp_path: Path) -> None:
    lock = FileStateLock(tmp_path)
    command = [sys.executable, "-c", WORK, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with lock.collecting() as collecting:
            assert collecting is not None
            assert not collecting.ended(collecting.generation)
            child.send_signal(signal.SIGKILL)
            child.wait()
            assert collecting.ended(collecting.generation)

    assert lock.oldest() is None
    assert sorted(os.listdir(tmp_path / "leases")) == ["last", "lock"]


def test_numbers_grow_over_processes_and_after_the_last_one_was_lost(tmp_path: Path) -> None:
    with FileStateLock(tmp_path).collecting() as first:
        assert first is not None
    with FileStateLock(tmp_path).working():
        (tmp_path / "leases" / "last").unlink()
        with FileStateLock(tmp_path).collecting() as second:
            assert second is not None
            assert not second.ended(second.generation)
