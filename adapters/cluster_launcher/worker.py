"""A worker of a Dask cluster on this machine."""

import asyncio
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import dask
from dask.system import CPU_COUNT
from dask.utils import parse_bytes
from distributed import Security, Worker
from distributed.system import MEMORY_LIMIT

from img.adapters.cluster_launcher.certificates import Certificates
from img.adapters.linux import syscalls
from img.adapters.linux.processes import children_of_all, descendants_of
from img.application.ports.cluster_launcher import ClusterNotStarted
from img.domain.cluster_worker import FACTS, resources_of
from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.json_text import InvalidJson, parse_json
from img.domain.options.cluster_address import SchedulerAddress
from img.domain.platform import Platform

_STOP_S = 10.0  # for the worker to leave its cluster
_POLL_S = 0.05
_SILENCE_S = 5.0  # before a worker says that it waits
_MOST_CERTIFICATES = 1 << 20  # bytes
_END_S = 5.0  # for its children to end by themselves
_CONFIG = {
    # Nothing of a task is written to disk, and steps have limits of their own.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.worker.profile.enabled": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """A worker: "" and 0 leave a choice to Dask."""

    scheduler: SchedulerAddress
    name: str = ""
    slots: int = 0  # steps at a time
    memory: str = ""  # such as 8GiB
    directory: str = ""  # for temporary files of Dask
    interface: str = ""
    death_timeout_s: float | None = None  # to wait for the scheduler
    ca: str = ""  # PEM files
    cert: str = ""
    key: str = ""
    certificates_from_input: bool = False


class DaskWorker:
    """A worker in this process, for tasks that run steps of builds."""

    def __init__(
        self,
        options: WorkerOptions,
        *,
        natives: Sequence[Platform],
        emulated: Sequence[Platform],
        version: str,
        on_joined: Callable[[str], None] = lambda _address: None,
        on_waiting: Callable[[], None] = lambda: None,
    ) -> None:
        slots = options.slots or CPU_COUNT
        memory = parse_memory(options.memory) if options.memory else int(MEMORY_LIMIT)
        self._options = options
        self._slots = slots
        self._memory = memory
        self._resources = resources_of(natives, emulated, slots=slots, memory=memory)
        self._facts = {"version": version}
        self._on_joined = on_joined  # called with the address of the worker
        self._on_waiting = on_waiting  # called once if the scheduler does not answer at once

    def run(self) -> None:
        """Serve a cluster until SIGTERM or SIGINT, or the end of its scheduler.

        All processes that tasks have left are ended. Raises ClusterNotStarted, UsageError.
        """
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        # Orphans of tasks become children of this process.
        syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
        try:
            with dask.config.set(_CONFIG), tempfile.TemporaryDirectory(prefix="img-worker-") as own:
                asyncio.run(self._serve(self._options.directory or own))
        finally:
            end_children()

    async def _serve(self, directory: str) -> None:
        stop = asyncio.Event()
        security = self._security()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        if self._options.certificates_from_input:
            _at_end_of_input(stop.set)
        stopping = asyncio.ensure_future(stop.wait())
        serving = asyncio.ensure_future(self._worked(directory, security))
        await asyncio.wait({stopping, serving}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not serving.done():
            serving.cancel()
            with suppress(asyncio.CancelledError, TimeoutError):
                await asyncio.wait_for(serving, _STOP_S)
            return
        await serving

    async def _worked(self, directory: str, security: Security | None) -> None:
        """Join the cluster, and leave it when cancelled. Raises ClusterNotStarted at its end."""
        waiting = asyncio.get_running_loop().call_later(_SILENCE_S, self._on_waiting)
        try:
            worker = await self._joined(directory, security)
        finally:
            waiting.cancel()
        try:
            self._on_joined(worker.address)
            await worker.finished()
        finally:
            await worker.close(timeout=_STOP_S, executor_wait=False)
        raise ClusterNotStarted(f"the scheduler {self._options.scheduler} has ended")

    async def _joined(self, directory: str, security: Security | None) -> Worker:
        """Return the worker once it has joined. Raises ClusterNotStarted."""
        host = os.uname().nodename
        given = self._options.name
        failure: BaseException | None = None
        for name in [given] if given else [host, f"{host}-{os.getpid()}"]:
            worker = self._named(name, directory, security)
            try:
                await worker
            except (OSError, TimeoutError, RuntimeError, ValueError) as error:
                failure = error.__cause__ or error
                if "name taken" not in str(failure):
                    break
            else:
                return worker
        assert failure is not None
        if "name taken" in str(failure):
            raise ClusterNotStarted(
                f"the scheduler {self._options.scheduler} has a worker {given} already",
                hint="choose another --name",
            ) from None
        reason = _first_line(failure)
        if isinstance(failure, TimeoutError):
            reason = f"there is no answer within {self._options.death_timeout_s or 0:g} s"
        raise ClusterNotStarted(
            f"the scheduler {self._options.scheduler} cannot be reached: {reason}"
        ) from None

    def _named(self, name: str, directory: str, security: Security | None) -> Worker:
        """Return the worker before it connects. Raises ClusterNotStarted."""
        try:
            return Worker(
                str(self._options.scheduler),
                name=name,
                nthreads=self._slots,
                memory_limit=self._memory,
                resources=dict(self._resources),
                local_directory=directory,
                interface=self._options.interface or None,
                death_timeout=self._options.death_timeout_s,
                security=security,
                dashboard=False,
                dashboard_address="127.0.0.1:0",
                startup_information={FACTS: lambda _worker: self._facts},
            )
        except (OSError, ValueError) as error:  # the directory, the interface
            raise ClusterNotStarted(f"the worker cannot start: {_first_line(error)}") from None

    def _security(self) -> Security | None:
        options = self._options
        if options.certificates_from_input:
            return _from_input().security()
        if not options.scheduler.tls:
            return None
        if not (options.ca and options.cert and options.key):
            raise UsageError(
                f"{options.scheduler} needs certificates",
                hint="use --tls-ca-file, --tls-cert and --tls-key",
            )
        for path in (options.ca, options.cert, options.key):
            try:
                os.close(os.open(path, os.O_RDONLY))
            except OSError as error:
                raise UsageError(f"{path} cannot be read: {error.strerror}") from None
        return Certificates(ca=options.ca, cert=options.cert, key=options.key).security()


def _from_input() -> Certificates:
    try:
        given = parse_json(sys.stdin.buffer.readline(_MOST_CERTIFICATES))
    except InvalidJson:
        given = None
    if not isinstance(given, dict) or set(given) != {"ca", "cert", "key"}:
        raise UsageError("--tls-stdin: standard input has no certificates")
    return Certificates(**{name: str(each) for name, each in given.items()})


def parse_memory(text: str) -> int:
    """Return the bytes of a size as Dask writes them, such as 7.5GiB. Raises UsageError."""
    with suppress(ValueError):
        if (size := int(parse_bytes(text))) > 0:
            return size
    raise UsageError(f"invalid --memory-limit {text!r}", hint="such as 8GiB")


def end_children() -> None:
    """End all descendants of this process: first with SIGTERM, then with SIGKILL."""
    began, asked = time.monotonic(), set[int]()
    while descendants := list(descendants_of(os.getpid(), children_of_all())):
        waited_s = time.monotonic() - began
        for pid in descendants:
            if waited_s > _END_S:
                _send(pid, signal.SIGKILL)
            elif pid not in asked:
                asked.add(pid)
                _send(pid, signal.SIGTERM)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if waited_s > 2 * _END_S:
            return  # a process in an uninterruptible wait
        time.sleep(_POLL_S)


def _send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _at_end_of_input(call: Callable[[], None]) -> None:
    """Call ``call`` at the end of standard input."""
    loop = asyncio.get_running_loop()

    def readable() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            call()

    loop.add_reader(0, readable)


def _first_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror.lower()}"
    return (str(error) or type(error).__name__).splitlines()[0]
