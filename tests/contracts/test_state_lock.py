"""What every lock of a state promises."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from img.adapters.state_lock.file import FileStateLock
from img.adapters.state_lock.memory import MemoryStateLock
from img.application.ports.state_lock import StateLock

Make = Callable[[Path], StateLock]


@pytest.fixture(params=[FileStateLock, lambda _: MemoryStateLock()])
def lock(request: pytest.FixtureRequest, tmp_path: Path) -> StateLock:
    make: Make = request.param
    return make(tmp_path / "state")


def test_work_that_began_before_a_collection_ends_for_it_when_it_ends(lock: StateLock) -> None:
    before = lock.working()
    before.__enter__()
    with lock.collecting() as collecting:
        assert collecting is not None
        generation = collecting.generation
        assert not collecting.ended(generation)
    before.__exit__(None, None, None)

    with lock.collecting() as later:
        assert later is not None
        assert later.ended(generation)


def test_work_that_begins_later_is_no_matter(lock: StateLock) -> None:
    with lock.collecting() as first:
        assert first is not None
        with lock.working(), lock.working():
            assert first.ended(first.generation)

    with lock.working(), lock.collecting() as second:
        assert second is not None
        assert second.generation > first.generation
        assert second.ended(first.generation)
        assert not second.ended(second.generation)


def test_only_one_collects(lock: StateLock) -> None:
    begun, order = threading.Event(), []

    def collect_too() -> None:
        begun.set()
        with lock.collecting() as collecting:
            order.append(collecting is not None)

    with lock.collecting():
        with lock.collecting(wait=False) as other:
            assert other is None
        waiting = threading.Thread(target=collect_too)
        waiting.start()
        begun.wait()
        order.append(False)
    waiting.join()

    assert order == [False, True]


def test_who_is_alone_keeps_work_from_beginning(lock: StateLock) -> None:
    begun = threading.Event()

    def work() -> None:
        with lock.working():
            begun.set()

    with lock.alone() as alone:
        assert alone
        worker = threading.Thread(target=work)
        worker.start()
        assert not begun.wait(0.05)
    worker.join()
    assert begun.is_set()

    with lock.working(), lock.alone() as alone:
        assert not alone


def test_the_oldest_work_is_known(lock: StateLock) -> None:
    assert lock.oldest() is None
    with lock.working():
        first = lock.oldest()
        assert first is not None
        with lock.working():
            assert lock.oldest() == first
    assert lock.oldest() is None


WORK = """
import sys, time
from pathlib import Path
from img.adapters.state_lock.file import FileStateLock
with FileStateLock(Path(sys.argv[1])).working():
    print("working", flush=True)
    time.sleep(600)
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
