"""Steps on the workers of a cluster: which worker runs which step, and what follows a failure."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock

from img.application.cancellation import POLL_S, StepCanceled, pause
from img.application.log import logger
from img.application.ports.cluster import (
    Cluster,
    LayersMissing,
    NoWorker,
    Placement,
    TaskWatch,
    WorkerFacts,
    WorkerGone,
    WorkerUnfit,
)
from img.application.ports.executor import Cancellation
from img.application.ports.vertex_workers import VertexWork, VertexWorkers
from img.application.solver.schedule import THREADS
from img.domain.digest import Digest
from img.domain.errors import ImgError
from img.domain.graph.operations import Exec
from img.domain.graph.task import KeptMount, VertexAnswer, VertexTask
from img.domain.oci.chain import Layer

log = logger("cluster")

_STDERR = 2
_PAUSE_S = 0.5
_MOST_GONE = 5  # workers that leave while they run the same step


class ClusterWorkers(VertexWorkers):
    """The workers of a cluster; steps that no other process can run are run in this one.

    ``connect`` is called for the first step that is sent: a build with steps that are cached
    or run here starts no cluster. ``on_wait`` is called with the reason, once for each, when a
    step has to wait for a worker that can run it, at most ``patience_s``.
    A worker that has layers of the inputs is preferred while it has a free slot. Steps that share
    a cache mount run on one worker, the same in each build while it is there. ``settle_s`` is for
    clusters that end with the build.
    """

    def __init__(
        self,
        connect: Callable[[], Cluster],
        on_wait: Callable[[str], None],
        *,
        patience_s: float,
        settle_s: float = 0.0,
    ) -> None:
        self._settle_s = settle_s
        self._connect = connect
        self._on_wait = on_wait
        self._waits: set[str] = set()  # reasons
        self._connected: Cluster | None = None
        self._failure: ImgError | None = None  # of the connection
        self._connecting = BoundedSemaphore()
        self._here = BoundedSemaphore(THREADS)  # steps in this process
        self._patience_s = patience_s
        self._lock = Lock()
        self._unfit: dict[str, WorkerUnfit] = {}  # by address, for the rest of the build
        self._holders: dict[Digest, set[str]] = {}  # addresses by blob
        self._used: dict[str, int] = {}  # steps by address
        self._caches: dict[str, str] = {}  # addresses by the name of a cache mount

    def run(self, work: VertexWork, cancelled: Cancellation) -> VertexAnswer:
        task = work.task()
        if task is None:
            with _entered(self._here, cancelled):
                return work.here()
        self._ensure_connected(cancelled)
        shared: set[Digest] = set()
        gone = 0
        while True:
            placement = self._placement(task)
            watch = _Watch(self, work, placement.prefer)
            try:
                with watch:
                    answer = self._cluster.run(task, placement, watch, cancelled)
            except LayersMissing as error:
                new = [digest for digest in error.digests if digest not in shared]
                if not new:
                    raise
                log.debug("worker lacks layers", step=task.name, count=len(new))
                work.share(new)
                shared.update(new)
            except WorkerUnfit as error:
                self._note_unfit(error, work)
            except WorkerGone as error:
                gone += 1
                if gone > _MOST_GONE:
                    raise
                self._note_gone(error, work)
            else:
                self._note_holder(task, answer)
                return answer

    def settle(self) -> None:
        if self._connected is not None and self._settle_s:
            self._connected.settle(self._settle_s)

    def close(self) -> None:
        if self._connected is not None:
            self._connected.close()

    def note_use(self, address: str, change: int) -> str:
        """Count a step of the worker, or its end with -1, and return the worker's name."""
        with self._lock:
            self._used[address] = self._used.get(address, 0) + change
        facts = {each.address: each for each in self._cluster.workers()} if change > 0 else {}
        return facts[address].name if address in facts else address

    @property
    def _cluster(self) -> Cluster:
        assert self._connected is not None
        return self._connected

    def _ensure_connected(self, cancelled: Cancellation) -> None:
        """Connect, once for all steps. Raises ClusterError, ClusterNotStarted, StepCanceled."""
        if self._connected is not None:
            return
        with _entered(self._connecting, cancelled):
            if self._failure is not None:
                raise self._failure
            try:
                self._connected = self._connected or self._connect()
            except StepCanceled:
                raise
            except ImgError as error:
                self._failure = error
                raise

    def _fit(self) -> Sequence[WorkerFacts]:
        return [each for each in self._cluster.workers() if each.address not in self._unfit]

    def _placement(self, task: VertexTask) -> Placement:
        """Return the place of a step. Raises NoWorker, WorkerUnfit if all workers are unfit."""
        able = self._able(task)
        natives = [each for each in able if str(task.platform) in each.natives]
        if task.platform is not None and natives:
            able = natives
        native = bool(natives) and task.platform is not None
        caches = _caches_of(task)
        if caches:
            address = self._worker_of(caches, able)
            return Placement(only=(address,), native=native)
        only = tuple(each.address for each in able) if self._unfit else ()
        return Placement(only=only, prefer=self._preferred(task, able), native=native)

    def _able(self, task: VertexTask) -> Sequence[WorkerFacts]:
        """Return the workers that can run the step, after a while if there is none yet."""
        waited = 0.0
        while True:
            fit = self._fit()
            able = [each for each in fit if each.can_run(task.platform)]
            if able:
                return able
            if not fit and self._unfit:
                raise next(iter(self._unfit.values()))
            missing = self._no_worker(task, fit)
            if waited >= self._patience_s:
                raise missing
            self._note_wait(missing.message)
            pause(_PAUSE_S)
            waited += _PAUSE_S

    def _note_wait(self, reason: str) -> None:
        with self._lock:
            is_new = reason not in self._waits
            self._waits.add(reason)
        if is_new:
            self._on_wait(reason)

    def _no_worker(self, task: VertexTask, fit: Sequence[WorkerFacts]) -> NoWorker:
        there = sorted({platform for each in fit for platform in each.runs})
        name = self._cluster.name
        if not fit:
            return NoWorker(
                f"the cluster {name} has no workers",
                hint=f"start some with `img worker {name}`, or set start-timeout in [cluster] of "
                "the settings file to wait longer",
            )
        return NoWorker(
            f"no worker of the cluster {name} runs programs for {task.platform}"
            f" (they run {', '.join(there) or 'nothing that they name'})",
            hint="start one with `img worker` on such a machine, or one with binfmt support",
        )

    def _preferred(self, task: VertexTask, able: Sequence[WorkerFacts]) -> tuple[str, ...]:
        """Return the worker with a free slot that has most bytes of the inputs, if any."""
        sizes = {layer.descriptor.digest: layer.descriptor.size for layer in _layers_of(task)}
        with self._lock:
            free = [each for each in able if self._used.get(each.address, 0) < each.slots]
            held = {
                each.address: sum(
                    size
                    for digest, size in sizes.items()
                    if each.address in self._holders.get(digest, ())
                )
                for each in free
            }
        best = max(held, key=lambda address: held[address], default="")
        return (best,) if best and held[best] else ()

    def _worker_of(self, caches: Sequence[str], able: Sequence[WorkerFacts]) -> str:
        """Return the worker with the cache mounts: the same one for each step that has them."""
        there = {each.address for each in able}
        with self._lock:
            known = (self._caches.get(each, "") for each in caches)
            address = next((each for each in known if each in there), "")
            if not address:
                address = max(able, key=lambda each: _draw(caches[0], each.name)).address
            self._caches.update(dict.fromkeys(caches, address))
        return address

    def _note_unfit(self, error: WorkerUnfit, work: VertexWork) -> None:
        with self._lock:
            self._unfit[error.worker] = error
        log.warning("worker is avoided", worker=error.worker, reason=error.cause.message)
        work.output(_STDERR, f"{error.message}; another worker runs the step\n".encode())

    def _note_gone(self, error: WorkerGone, work: VertexWork) -> None:
        with self._lock:
            lost = [name for name, address in self._caches.items() if address == error.worker]
            for name in lost:
                del self._caches[name]
        caches = "; its cache mounts begin as they were kept last" if lost else ""
        work.output(_STDERR, f"{error.message}; another one runs the step{caches}\n".encode())

    def _note_holder(self, task: VertexTask, answer: VertexAnswer) -> None:
        layers = [*_layers_of(task), *([answer.layer] if answer.layer else [])]
        with self._lock:
            for layer in layers:
                self._holders.setdefault(layer.descriptor.digest, set()).add(answer.worker)


@contextmanager
def _entered(places: BoundedSemaphore, cancelled: Cancellation) -> Iterator[None]:
    """Enter with one of the places. Raises StepCanceled."""
    while not places.acquire(timeout=POLL_S):
        if cancelled.is_set():
            raise StepCanceled
    try:
        yield
    finally:
        places.release()


class _Watch(TaskWatch):
    """The events of one task, for its work; the worker that runs it is counted as used."""

    def __init__(self, workers: ClusterWorkers, work: VertexWork, prefer: Sequence[str]) -> None:
        self._workers = workers
        self._work = work
        self._address = prefer[0] if prefer else ""  # counted

    def __enter__(self) -> None:
        if self._address:
            self._workers.note_use(self._address, 1)

    def __exit__(self, *_: object) -> None:
        if self._address:
            self._workers.note_use(self._address, -1)

    def begun(self, worker: str) -> None:
        before, self._address = self._address, worker
        name = self._workers.note_use(worker, 1)
        if before:
            self._workers.note_use(before, -1)
        self._work.begun(name)

    def output(self, stream: int, data: bytes) -> None:
        self._work.output(stream, data)

    def secrets(self) -> Mapping[str, bytes]:
        return self._work.secrets()

    def kept(self, mounts: Sequence[KeptMount]) -> None:
        self._work.kept(mounts)


def _layers_of(task: VertexTask) -> Iterable[Layer]:
    return (layer for each in task.inputs for layer in each.layers)


def _caches_of(task: VertexTask) -> Sequence[str]:
    """Return the names of the cache mounts of a step, sorted."""
    if not isinstance(task.operation, Exec):
        return ()
    return sorted(
        {each.id or each.target for each in task.operation.mounts if each.type == "cache"}
    )


def _draw(cache: str, worker: str) -> bytes:
    """Return the lot of a worker for a cache mount: the greatest wins (rendezvous hashing)."""
    return hashlib.sha256(f"{cache}\0{worker}".encode()).digest()
