"""Clusters in memory: threads as workers that play what a test says."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import field
from threading import Condition, Event

from img.adapters.cluster import codec
from img.application.cancellation import StepCanceled
from img.application.ports.cluster import (
    Cluster,
    NoWorker,
    Placement,
    SchedulerLost,
    TaskWatch,
    WorkerFacts,
    WorkerGone,
)
from img.application.ports.executor import Cancellation
from img.domain.dataclass import dataclass
from img.domain.errors import ImgError
from img.domain.graph.task import VertexAnswer, VertexTask
from img.domain.platform import Platform

Perform = Callable[[VertexTask, TaskWatch, Cancellation], VertexAnswer]
"""Performs a task on a worker. Raises the error of the step, WorkerUnfit, LayersMissing."""

_PAUSE_S = 0.05  # between looks at the cancellation of a task that waits for a worker


class WorkerKilled(BaseException):
    """The end of a worker in the middle of a task; ``perform`` raises it."""


@dataclass(slots=True, kw_only=True)
class ScriptedWorker:
    """A worker; ``done`` are the names of its tasks."""

    facts: WorkerFacts
    perform: Perform
    done: list[str] = field(default_factory=list)
    running: int = 0


def a_worker(name: str, perform: Perform, *natives: Platform, slots: int = 1) -> ScriptedWorker:
    """Return a worker with a processor for these platforms."""
    platforms = frozenset(map(str, natives))
    facts = WorkerFacts(
        address=f"tcp://{name}:1", name=name, slots=slots, natives=platforms, runs=platforms
    )
    return ScriptedWorker(facts=facts, perform=perform)


class ScriptedCluster(Cluster):
    """Workers that perform tasks in the threads that bring them, as records of JSON.

    A task waits for a worker with a free slot; the least used one takes it.
    """

    def __init__(self, workers: Sequence[ScriptedWorker]) -> None:
        self.members = list(workers)
        self.lost = False  # the scheduler
        self._lock = Condition()  # notified when a worker has a free slot
        self._closed = Event()

    @property
    def name(self) -> str:
        return "tcp://scripted:8786"

    @property
    def dashboard(self) -> str:
        return ""

    def workers(self) -> Sequence[WorkerFacts]:
        self._check()
        return [each.facts for each in self.members]

    def run(
        self, task: VertexTask, placement: Placement, watch: TaskWatch, cancelled: Cancellation
    ) -> VertexAnswer:
        record = codec.encode_task(task)
        while True:
            worker = self._taken(task, placement, cancelled)
            try:
                watch.begun(worker.facts.address)
                answer = self._performed(worker, record, watch, cancelled)
            except WorkerKilled:
                self.leave(worker.facts.name)
                continue
            finally:
                with self._lock:
                    worker.running -= 1
                    self._lock.notify()
            self._check()
            return codec.answer_from(answer, worker.facts.address)

    def leave(self, name: str) -> None:
        """Let a worker leave the cluster."""
        with self._lock, suppress(StopIteration):
            self.members.remove(next(each for each in self.members if each.facts.name == name))
            self._lock.notify_all()

    def settle(self, most_s: float) -> None:
        """Do nothing: workers keep mounts before they answer."""

    def close(self) -> None:
        self._closed.set()

    def _performed(
        self, worker: ScriptedWorker, record: str, watch: TaskWatch, cancelled: Cancellation
    ) -> str:
        task = codec.decode_task(record)
        worker.done.append(task.name)
        try:
            return codec.encode_answer(worker.perform(task, watch, cancelled))
        except ImgError as error:
            return codec.encode_error(error)

    def _taken(
        self, task: VertexTask, placement: Placement, cancelled: Cancellation
    ) -> ScriptedWorker:
        with self._lock:
            while True:
                self._check()
                able = [each for each in self.members if _is_able(each.facts, task, placement)]
                if not able and placement.only:
                    raise WorkerGone(placement.only[0])
                if not able:
                    raise NoWorker(f"no worker of {self.name} runs {task.name}")
                free = [each for each in able if each.running < each.facts.slots]
                if free:
                    best = min(free, key=lambda each: _rank(each, placement))
                    best.running += 1
                    return best
                if cancelled.is_set():
                    raise StepCanceled
                self._lock.wait(_PAUSE_S)

    def _check(self) -> None:
        if self.lost or self._closed.is_set():
            raise SchedulerLost(self.name)


def _rank(worker: ScriptedWorker, placement: Placement) -> tuple[bool, int]:
    return worker.facts.address not in placement.prefer, worker.running


def _is_able(facts: WorkerFacts, task: VertexTask, placement: Placement) -> bool:
    if placement.only and facts.address not in placement.only:
        return False
    if placement.native and str(task.platform) not in facts.natives:
        return False
    return facts.can_run(task.platform)
