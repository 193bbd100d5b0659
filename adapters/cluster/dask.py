"""Clusters of Dask (https://distributed.dask.org)."""

import logging
import secrets
import ssl
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import field
from time import monotonic
from typing import Any

import dask

from img import __version__
from img.adapters.cluster import codec
from img.adapters.cluster.code_version import code_version
from img.adapters.cluster.reach import check_scheduler, unreachable
from img.application.cancellation import StepCanceled
from img.application.ports.cluster import (
    Cluster,
    ClusterError,
    NoWorker,
    OtherVersion,
    Placement,
    SchedulerLost,
    TaskWatch,
    WorkerFacts,
    WorkerGone,
)
from img.application.ports.executor import Cancellation
from img.domain.cluster_worker import NATIVE, RUNS, STEP, native, runs
from img.domain.dataclass import dataclass
from img.domain.graph.operations import CopyFiles, Exec, FetchGit
from img.domain.graph.task import VertexAnswer, VertexTask

_POLL_S = 0.1
_REFRESH_S = 0.5  # between looks at the workers
_PATIENCE_S = 60.0  # for a worker that can run a task
_CONNECT_S = 10.0
_SILENT = ("distributed", "distributed.client", "distributed.core", "distributed.comm")


@dataclass(slots=True)
class _Running:
    """A task that a worker has, or will have."""

    watch: TaskWatch
    needs_secrets: bool
    changed: threading.Event = field(default_factory=threading.Event)  # it has an answer, or failed
    answer: str = ""
    worker: str = ""  # its address


class DaskCluster(Cluster):
    """The cluster of a scheduler.

    A task is one of Dask with a name without a meaning. Its answer is an event like the output of
    its step, so it is here as soon as the task ends, and nothing is unpickled.
    """

    def __init__(
        self,
        address: str,
        *,
        dashboard: str = "",
        ca: str = "",
        cert: str = "",
        key: str = "",
        version: str = "",
        connect_s: float = _CONNECT_S,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        """Connect, for ``tls://`` with these certificates or those of Dask's configuration.

        Workers of another ``version`` refuse tasks ("": the version of this code). Raises
        ClusterError.
        """
        self._address = address
        self._dashboard = dashboard
        self._version = version or code_version()
        self._patience_s = patience_s
        self._running: dict[str, _Running] = {}
        self._keeping: dict[str, TaskWatch] = {}  # of tasks with cache mounts to keep
        self._closed = threading.Event()
        self._topic = f"img-{secrets.token_hex(8)}"
        self._client = _connected(address, ca, cert, key, connect_s)
        self._client.subscribe_topic(self._topic, self._take)
        self._facts: Sequence[WorkerFacts] = ()
        self._refresh()
        threading.Thread(target=self._keep_fresh, name="cluster", daemon=True).start()

    @property
    def name(self) -> str:
        return self._address

    @property
    def dashboard(self) -> str:
        if self._dashboard:
            return self._dashboard
        with suppress(Exception):  # without a dashboard, each version of Dask has another error
            return str(self._client.dashboard_link or "")
        return ""

    def workers(self) -> Sequence[WorkerFacts]:
        self._check()
        return self._facts

    def run(
        self, task: VertexTask, placement: Placement, watch: TaskWatch, cancelled: Cancellation
    ) -> VertexAnswer:
        self._check()
        number = secrets.token_hex(8)
        running = self._running[number] = _Running(watch, task.needs_secrets)
        if task.mount_limit:
            self._keeping[number] = watch
        keeps = False
        try:
            future = self._submitted(task, placement, number)
            future.add_done_callback(lambda _: running.changed.set())
            try:
                self._wait(task, placement, running, cancelled)
                answer = self._answer(running, future)
                keeps = answer.keeps
                return answer
            finally:
                with suppress(Exception):  # of a scheduler that is gone
                    future.cancel()
        finally:
            del self._running[number]
            if not keeps:
                self._keeping.pop(number, None)

    def settle(self, most_s: float) -> None:
        end_s = monotonic() + most_s
        while self._keeping and monotonic() < end_s and not self._closed.wait(_POLL_S):
            if self._client.status != "running":
                return

    def close(self) -> None:
        if self._closed.is_set():
            return
        self._closed.set()
        for each in list(self._running.values()):
            each.changed.set()
        with suppress(Exception):  # of a scheduler that is gone
            self._client.close(timeout=5)

    def _submitted(self, task: VertexTask, placement: Placement, number: str) -> Any:
        from img.adapters.cluster.dask_worker import run_task

        wanted = placement.only or placement.prefer
        try:
            return self._client.submit(
                run_task,
                self._version,
                codec.encode_task(task),
                self._topic,
                number,
                task.needs_secrets,
                key=f"img-{_kind(task)}-{number}",
                pure=False,
                workers=list(wanted) or None,
                allow_other_workers=bool(wanted) and not placement.only,
                resources=_resources(task, placement),
            )
        except Exception as error:
            raise SchedulerLost(self._address, str(error)) from error

    def _wait(
        self,
        task: VertexTask,
        placement: Placement,
        running: _Running,
        cancelled: Cancellation,
    ) -> None:
        """Wait for the answer. Raises StepCanceled, SchedulerLost, WorkerGone, NoWorker."""
        able_s = monotonic()  # when a worker was there
        while not running.changed.wait(_POLL_S):
            if cancelled.is_set():
                raise StepCanceled
            here = {each.address for each in self.workers() if each.can_run(task.platform)}
            if here:
                able_s = monotonic()
            if placement.only and not here.intersection(placement.only):
                raise WorkerGone(running.worker or placement.only[0])
            if monotonic() - able_s > self._patience_s:
                raise NoWorker(f"no worker of the cluster {self._address} is left for the step")

    def _answer(self, running: _Running, future: Any) -> VertexAnswer:
        self._check()
        if running.answer:
            return codec.answer_from(running.answer, running.worker)
        if future.status != "error":
            raise SchedulerLost(self._address, f"the task is {future.status}")
        raise _fault(future.exception(timeout=_CONNECT_S), running.worker)

    def _take(self, event: tuple[float, Any]) -> None:
        """Take an event of a worker; the loop of Dask calls this."""
        match event[1]:
            case [str(number), str(worker), str(kind), int(stream), bytes(data)]:
                if kind == "kept":
                    self._note_kept(number, data)
                running = self._running.get(number)
                if running is None:
                    return
            case _:
                return
        match kind:
            case "begun":
                running.worker = worker
                running.watch.begun(worker)
            case "secrets" if running.needs_secrets and worker.startswith("tls://"):
                threading.Thread(target=self._give, args=[number, worker, data, running]).start()
            case "output" if stream in (1, 2):
                running.watch.output(stream, data)
            case "answer":
                running.worker, running.answer = worker, data.decode("ascii", "replace")
                running.changed.set()

    def _note_kept(self, number: str, record: bytes) -> None:
        watch = self._keeping.get(number)
        if watch is not None:
            with suppress(codec.BadRecord):  # a worker with a fault: its mounts are not exchanged
                watch.kept(codec.kept_from(record.decode("ascii", "replace")))
            self._keeping.pop(number, None)

    def _give(self, number: str, worker: str, public: bytes, running: _Running) -> None:
        """Send the secrets of a task to its worker, past the arguments of tasks."""
        from img.adapters.cluster.dask_worker import give_secrets
        from img.adapters.cluster.sealed import seal

        with suppress(Exception):  # the worker says that it got none
            sealed = seal(running.watch.secrets(), public)
            self._client.run(give_secrets, number, sealed, workers=[worker])

    def _check(self) -> None:
        if self._closed.is_set() or self._client.status != "running":
            raise SchedulerLost(self._address)

    def _keep_fresh(self) -> None:
        while not self._closed.wait(_REFRESH_S):
            with suppress(Exception):  # ``_check`` finds a scheduler that is gone
                self._refresh()

    def _refresh(self) -> None:
        found = self._client.sync(self._client.scheduler.identity, n_workers=-1)
        self._facts = [
            _facts(address, each)
            for address, each in found["workers"].items()
            if STEP in (each.get("resources") or ())
        ]


def _connected(address: str, ca: str, cert: str, key: str, timeout_s: float) -> Any:
    """Return a client of the scheduler. Raises ClusterError."""
    dask.config.set({"logging": dict.fromkeys(_SILENT, "critical")})
    from distributed import Client
    from distributed.security import Security

    connect: Any = Client
    secured: Any = Security
    for name in _SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    security = None
    if ca:
        own = {"tls_client_cert": cert, "tls_client_key": key}
        security = secured(tls_ca_file=ca, require_encryption=True, **own)
    check_scheduler(address, _context(security), timeout_s)
    try:
        return connect(
            address, timeout=timeout_s, set_as_default=False, name="img", security=security
        )
    except Exception as error:
        raise unreachable(address, str(error) or type(error).__name__) from error


def _context(security: Any) -> ssl.SSLContext | None:
    """Return the context of a client for TLS, None without. Raises ClusterError."""
    if security is None:
        return None
    try:
        context: ssl.SSLContext = security.get_connection_args("client")["ssl_context"]
    except (OSError, ValueError) as error:  # of files that are missing, or hold something else
        raise ClusterError(
            f"the certificates for the cluster cannot be read: {error}",
            hint="see ca, cert and key in [cluster] of the settings file",
        ) from None
    return context


def _facts(address: str, told: Any) -> WorkerFacts:
    resources = [str(each) for each in told.get("resources") or ()]
    return WorkerFacts(
        address=address,
        name=str(told.get("name") or address),
        slots=int(told.get("nthreads") or 1),
        natives=_with(resources, NATIVE),
        runs=_with(resources, RUNS),
    )


def _with(resources: Sequence[str], beginning: str) -> frozenset[str]:
    return frozenset(
        each.removeprefix(beginning) for each in resources if each.startswith(beginning)
    )


def _resources(task: VertexTask, placement: Placement) -> dict[str, float]:
    """Return the resources that a task takes: one step of a worker with the platform."""
    if task.platform is None:
        return {STEP: 1.0}
    taken = {STEP: 1.0, runs(task.platform): 1.0}
    return {**taken, native(task.platform): 1.0} if placement.native else taken


def _kind(task: VertexTask) -> str:
    """Return a word for the dashboard, which must not show commands."""
    match task.operation:
        case Exec():
            return "run"
        case CopyFiles():
            return "copy"
        case FetchGit():
            return "checkout"
        case _:
            return "workdir"


def _fault(error: BaseException | None, worker: str) -> ClusterError:
    """Return the error of a task that gave no answer."""
    name = type(error).__name__
    if name == "KilledWorker":
        return ClusterError(
            "the step ended each worker that ran it: perhaps it needs more memory than they have",
            hint="give workers more memory, or run fewer steps at a time on each",
        )
    if isinstance(error, ImportError | AttributeError):
        return OtherVersion(worker or "of the cluster", f"no such module ({error})", __version__)
    return ClusterError(f"a worker of the cluster could not begin the step: {name}: {error}")
