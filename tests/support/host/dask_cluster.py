"""A scheduler of Dask and workers of img, as processes."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Thread

from tests.support.host.img_command import Img

_SCHEDULER = """
import asyncio
from distributed import Scheduler
async def serve():
    async with Scheduler(host="127.0.0.1", port=0, dashboard=False) as scheduler:
        print(scheduler.address, flush=True)
        await scheduler.finished()
asyncio.run(serve())
"""


@dataclass(kw_only=True)
class WorkerProcess:
    """A running ``img worker``."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: str = ""

    def read(self) -> None:
        """Read its log to the end."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log += line.decode("utf-8", "replace")


@dataclass(kw_only=True)
class DaskProcesses:
    """A scheduler and its workers, each with a state of its own; ``store`` is their store."""

    address: str
    store: Path
    scheduler: "subprocess.Popen[str]"
    workers: dict[str, WorkerProcess] = field(default_factory=dict)
    _stack: ExitStack

    def start(self, img: Img, name: str, slots: int = 1) -> WorkerProcess:
        """Return a worker that has joined, with the user and the state of ``img``."""
        started = on_cluster(img)
        options = ("--name", name, "--nthreads", str(slots), "--death-timeout", "30")
        process = started.start("worker", self.address, *options)
        worker = self.workers[name] = WorkerProcess(name=name, process=process)
        self._stack.callback(_end, process)
        assert process.stderr is not None
        line = process.stderr.readline().decode()
        assert "has joined" in line, line + process.stderr.read().decode()
        thread = Thread(target=worker.read, daemon=True)
        thread.start()
        return worker

    @property
    def options(self) -> tuple[str, ...]:
        """The options of a build on this cluster."""
        return ("--cluster", self.address, "--cluster-store", f"dir:{self.store}")


@contextmanager
def dask_processes(store: Path) -> Iterator[DaskProcesses]:
    """Enter with a scheduler without workers."""
    store.mkdir()
    store.chmod(0o1777)
    scheduler = subprocess.Popen(
        [sys.executable, "-c", _SCHEDULER],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with ExitStack() as stack:
        stack.callback(_end, scheduler)
        assert scheduler.stdout is not None
        address = scheduler.stdout.readline().strip()
        assert re.fullmatch(r"tcp://127\.0\.0\.1:\d+", address)
        yield DaskProcesses(address=address, store=store, scheduler=scheduler, _stack=stack)


def on_cluster(img: Img) -> Img:
    """Return img of the environment of the tests, which has Dask."""
    return replace(img, command=(sys.executable, "-m", "img"))


def _end(process: "subprocess.Popen[bytes] | subprocess.Popen[str]") -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
