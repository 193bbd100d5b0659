"""The choice of workers for steps, and what follows a failure."""

import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from threading import Event

import pytest

from img.adapters.cluster.scripted import (
    Perform,
    ScriptedCluster,
    ScriptedWorker,
    WorkerKilled,
    a_worker,
)
from img.application.cancellation import StepCanceled
from img.application.ports.cluster import (
    ClusterError,
    LayersMissing,
    NoWorker,
    Placement,
    TaskWatch,
    WorkerGone,
    WorkerUnfit,
)
from img.application.ports.executor import Cancellation
from img.application.solver.cluster_workers import ClusterWorkers
from img.application.solver.results import Result, Stack
from img.application.solver.schedule import solve_all
from img.domain.digest import Digest
from img.domain.errors import StateError
from img.domain.graph.operations import Exec, ExecMount, Scratch
from img.domain.graph.task import VertexAnswer, VertexTask
from img.domain.graph.vertex import Graph, Vertex
from img.domain.platform import Platform
from img.testing.vertex_workers import (
    MEETING,
    NOON,
    PlayedWork,
    a_layer,
    a_task,
    in_thread,
    play,
    work,
)

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")


def the_workers(*members: ScriptedWorker) -> tuple[ClusterWorkers, ScriptedCluster]:
    cluster = ScriptedCluster(members)
    return ClusterWorkers(lambda: cluster, print, patience_s=0), cluster


def failing_once(error: BaseException) -> Perform:
    """Return a performer that raises ``error`` first."""
    left = [error]

    def perform(task: VertexTask, watch: TaskWatch, cancelled: Cancellation) -> VertexAnswer:
        if left:
            raise left.pop()
        return play(task, watch, cancelled)

    return perform


def always(error: Callable[[], BaseException]) -> Perform:
    def perform(task: VertexTask, watch: TaskWatch, cancelled: Cancellation) -> VertexAnswer:
        raise error()

    return perform


def full() -> WorkerUnfit:
    return WorkerUnfit("", StateError("no space left", hint="free some"))


def with_caches(*names: str) -> PlayedWork:
    mounts = tuple(ExecMount(type="cache", target=f"/{name}", id=name) for name in names)
    return PlayedWork(replace(a_task("make"), operation=Exec(argv=("make",), mounts=mounts)))


def test_a_full_disk_moves_the_steps_of_a_worker() -> None:
    bad, good = a_worker("bad", always(full)), a_worker("good", play)
    workers, _ = the_workers(bad, good)

    works = [work(f"say:{number}") for number in range(4)]
    for each in works:
        workers.run(each, Event())

    assert len(bad.done) == 1
    assert len(good.done) == 4
    text = "".join(line for each in works for line in each.log)
    assert "tcp://bad:1: no space left; another worker runs the step" in text


def test_where_all_workers_are_unfit_the_first_reason_is_the_error() -> None:
    workers, _ = the_workers(a_worker("a", always(full)), a_worker("b", always(full)))

    with pytest.raises(WorkerUnfit, match="no space left"):
        workers.run(work("make"), Event())


def test_a_killed_worker_has_its_step_run_elsewhere() -> None:
    workers, cluster = the_workers(
        a_worker("killed", failing_once(WorkerKilled())), a_worker("other", play)
    )
    making = work("make")

    assert workers.run(making, Event()).layer == a_layer("make")
    assert making.log == ["on killed", "on other"]
    assert [each.facts.name for each in cluster.members] == ["other"]


def test_layers_that_a_worker_lacks_are_shared_once() -> None:
    lacking = LayersMissing("", [Digest.of(b"base")])
    workers, _ = the_workers(a_worker("a", failing_once(lacking)))
    making = work("make")

    workers.run(making, Event())

    assert making.shared == [Digest.of(b"base")]

    workers, _ = the_workers(a_worker("a", always(lambda: LayersMissing("", [Digest.of(b"x")]))))
    with pytest.raises(LayersMissing):
        workers.run(work("make"), Event())


def test_a_foreign_step_is_emulated_where_no_worker_has_the_processor() -> None:
    native, emulating = a_worker("native", play, ARM64), a_worker("emulating", play, AMD64)
    both = frozenset({str(AMD64), str(ARM64)})
    emulating.facts = replace(emulating.facts, runs=both)
    workers, cluster = the_workers(emulating, native)
    for _ in range(3):
        workers.run(PlayedWork(a_task("make", platform=ARM64)), Event())
    assert (len(native.done), len(emulating.done)) == (3, 0)

    cluster.leave("native")
    workers.run(PlayedWork(a_task("make", platform=ARM64)), Event())

    assert len(emulating.done) == 1


def test_a_platform_that_no_worker_runs_is_named() -> None:
    workers, _ = the_workers(a_worker("a", play, AMD64))

    with pytest.raises(NoWorker, match=r"linux/arm64 \(they run linux/amd64\)"):
        workers.run(PlayedWork(a_task("make", platform=ARM64)), Event())


def test_a_cluster_without_workers_is_no_place_for_steps() -> None:
    workers, _ = the_workers()

    with pytest.raises(NoWorker, match="has no workers"):
        workers.run(work("make"), Event())


def test_a_step_waits_for_a_worker_that_can_run_it() -> None:
    cluster = ScriptedCluster([])
    waits: list[str] = []

    def join(reason: str) -> None:
        waits.append(reason)
        cluster.members.append(a_worker("late", play, AMD64))

    workers = ClusterWorkers(lambda: cluster, join, patience_s=60)

    assert workers.run(PlayedWork(a_task("make", platform=AMD64)), Event()).worker
    assert waits == [f"the cluster {cluster.name} has no workers"]


def test_a_worker_that_has_layers_of_the_inputs_is_preferred_if_it_has_time() -> None:
    members = [a_worker(name, play, slots=1) for name in "abc"]
    workers, _ = the_workers(*members)
    first = workers.run(work("make"), Event()).worker

    again = {workers.run(work(f"say:{number}"), Event()).worker for number in range(5)}

    assert again == {first}

    MEETING.reset()
    other = in_thread(lambda: workers.run(work("meet"), Event()))
    workers.run(work("meet"), Event())
    other.join(10)
    assert sum(bool(each.done) for each in members) == 2


def test_steps_with_a_cache_mount_run_on_one_worker_in_each_build() -> None:
    names = [f"w{number}" for number in range(8)]
    found = set()
    for _ in range(3):
        members = [a_worker(name, play, slots=2) for name in names]
        workers, _cluster = the_workers(*members)
        for caches in (("go",), ("go", "mod"), ("mod",)):
            workers.run(with_caches(*caches), Event())
        found.add(tuple(each.facts.name for each in members if each.done))

    assert len(found) == 1
    assert len(found.pop()) == 1


def test_a_step_whose_workers_always_leave_is_given_up() -> None:
    class Leaving(ScriptedCluster):
        def run(
            self,
            task: VertexTask,
            placement: Placement,
            watch: TaskWatch,
            cancelled: Cancellation,
        ) -> VertexAnswer:
            begun.append(task.name)
            raise WorkerGone("tcp://a:1")

    begun: list[str] = []
    workers = ClusterWorkers(lambda: Leaving([a_worker("a", play, AMD64)]), print, patience_s=0)

    with pytest.raises(WorkerGone):
        workers.run(work("make"), Event())
    assert len(begun) == 6


def test_cache_mounts_move_when_their_worker_is_gone() -> None:
    members = [a_worker(name, play) for name in "abc"]
    workers, cluster = the_workers(*members)
    first = workers.run(with_caches("go"), Event()).worker
    cluster.leave(next(each.facts.name for each in members if each.facts.address == first))

    second = workers.run(with_caches("go"), Event()).worker

    assert second != first
    assert workers.run(with_caches("go"), Event()).worker == second


def test_a_worker_with_the_cache_that_is_killed_leaves_the_step_to_another_one() -> None:
    members = [a_worker(name, failing_once(WorkerKilled())) for name in "ab"]
    members.append(a_worker("c", play))
    workers, _ = the_workers(*members)
    making = with_caches("go")

    assert workers.run(making, Event()).layer is not None


def test_a_cluster_is_connected_to_once_and_for_a_step_that_is_sent() -> None:
    connected: list[ScriptedCluster] = []

    def connect() -> ScriptedCluster:
        connected.append(ScriptedCluster([a_worker("a", play)]))
        return connected[-1]

    workers = ClusterWorkers(connect, print, patience_s=0)
    workers.run(PlayedWork(None, a_task("make")), Event())
    assert connected == []
    workers.close()

    workers.run(work("make"), Event())
    workers.run(work("make"), Event())
    assert len(connected) == 1


def test_a_cluster_that_does_not_start_fails_each_step_that_needs_it() -> None:
    tried = []

    def connect() -> ScriptedCluster:
        tried.append("")
        raise ClusterError("no scheduler")

    workers = ClusterWorkers(connect, print, patience_s=0)
    for _ in range(2):
        with pytest.raises(ClusterError, match="no scheduler"):
            workers.run(work("make"), Event())
    assert len(tried) == 1


def test_a_step_that_waits_for_the_connection_is_stopped_by_its_cancellation() -> None:
    begun, ended, cancelled = Event(), Event(), Event()

    def connect() -> ScriptedCluster:
        begun.set()
        ended.wait(20)
        raise ClusterError("no scheduler")

    def first() -> None:
        with suppress(ClusterError):
            workers.run(work("first"), Event())

    workers = ClusterWorkers(connect, print, patience_s=0)
    other = in_thread(first)
    assert begun.wait(20)
    cancelled.set()
    with pytest.raises(StepCanceled):
        workers.run(work("second"), cancelled)
    ended.set()
    other.join(20)


def scheduled(vertices: int, workers: int) -> float:
    """Return the seconds of a processor for chains of ten vertices on workers that do nothing."""
    made = VertexAnswer(layer=a_layer("x"), created=NOON)
    cluster = ScriptedCluster(
        [a_worker(f"w{number}", lambda *_: made) for number in range(workers)]
    )
    spread = ClusterWorkers(lambda: cluster, print, patience_s=0)
    chains = [Vertex(operation=Scratch(), inputs=() if at % 10 == 0 else (at - 1,))
              for at in range(vertices)]  # fmt: skip
    last = Vertex(operation=Scratch(), inputs=tuple(range(9, vertices, 10)))
    task = a_task("x")

    def solve(position: int, inputs: Sequence[Result]) -> Result:
        if position < vertices:
            spread.run(PlayedWork(task), Event())
        return Stack(key=Digest.of(b"%d" % position))

    begun = time.process_time()
    solve_all(Graph((*chains, last)), vertices, solve, Event(), 2 * workers)
    counts = Counter(len(each.done) for each in cluster.members)
    assert sum(count * members for count, members in counts.items()) == vertices
    return time.process_time() - begun


@pytest.mark.parametrize("vertices", [1_000, pytest.param(10_000, marks=pytest.mark.all_tests)])
def test_a_large_graph_is_spread_over_many_workers(vertices: int) -> None:
    """Schedule 300 vertices a second and more."""
    assert vertices / scheduled(vertices, 100) > 300


@pytest.mark.all_tests
def test_memory_grows_with_the_graph_and_no_faster() -> None:
    def peak(vertices: int) -> int:
        tracemalloc.start()
        try:
            scheduled(vertices, 100)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(10_000) < 6 * peak(2_000)
