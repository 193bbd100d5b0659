"""Contract suite of clusters that run single steps."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from threading import Event

import pytest

from img.application.cancellation import StepCanceled
from img.application.ports.cluster import (
    Cluster,
    LayersMissing,
    Placement,
    SchedulerLost,
    TaskWatch,
    WorkerGone,
    WorkerUnfit,
)
from img.application.ports.executor import Cancellation
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import BuildError, StateError
from img.domain.graph.operations import Exec
from img.domain.graph.task import KeptMount, VertexAnswer, VertexTask
from img.domain.platform import Platform
from img.testing.vertex_workers import (
    NOON,
    SECRET,
    WAIT_S,
    WAITING,
    a_layer,
    a_task,
    in_thread,
    play,
)

AMD64 = Platform("linux", "amd64")
ARM64 = Platform("linux", "arm64")
"""The platforms of the first and of the second worker."""


@dataclass(slots=True)
class Watched(TaskWatch):
    """The events of a task; ``workers`` are the addresses of those that began it."""

    workers: list[str] = field(default_factory=list)
    text: str = ""
    mounts: list[KeptMount] = field(default_factory=list)

    def kept(self, mounts: Sequence[KeptMount]) -> None:
        self.mounts += mounts

    def begun(self, worker: str) -> None:
        self.workers.append(worker)

    def secrets(self) -> Mapping[str, bytes]:
        return {"s": SECRET}

    def output(self, stream: int, data: bytes) -> None:
        self.text += f"{stream}: {data.decode()}"


def perform(task: VertexTask, watch: TaskWatch, cancelled: Cancellation) -> VertexAnswer:
    """Perform the words of a task on a worker: those of ``play``, and full, lacks, keep."""
    assert isinstance(task.operation, Exec)
    match task.operation.argv:
        case ("full",):
            raise WorkerUnfit("", StateError("no space left", hint="free some"))
        case ("lacks",):
            raise LayersMissing("", [Digest.of(b"base")], "no route")
        case ("secret",):
            value = watch.secrets()["s"]
            watch.output(1, hashlib.sha256(value).hexdigest().encode())
            return VertexAnswer(layer=None, created=NOON)
        case ("keep",):
            assert task.mount_limit
            watch.kept(task.mounts)
            return VertexAnswer(layer=None, created=NOON, keeps=True)
        case _:
            return play(task, watch, cancelled)


class ClusterContract:
    """Promises of all clusters.

    Fixtures: ``cluster``, with two workers, for AMD64 and for ARM64. The function ``perform``
    performs their tasks, two at a time on each.
    """

    def test_workers_have_different_addresses_and_a_processor_each(self, cluster: Cluster) -> None:
        natives = {each.address: each.natives for each in cluster.workers()}

        assert sorted(map(sorted, natives.values())) == [[str(AMD64)], [str(ARM64)]]
        assert all(each.slots == 2 and each.name for each in cluster.workers())

    def test_an_answer_has_the_layer_the_time_and_the_worker(self, cluster: Cluster) -> None:
        watch = Watched()

        answer = cluster.run(a_task("say:hello"), Placement(), watch, Event())

        assert (answer.layer, answer.created) == (a_layer("say:hello"), NOON)
        assert watch.workers == [answer.worker]
        assert watch.text == "1: hello\n"

    @pytest.mark.parametrize("platform", [AMD64, ARM64])
    def test_a_step_runs_where_its_platform_is(self, cluster: Cluster, platform: Platform) -> None:
        natives = {each.address: each.natives for each in cluster.workers()}
        task = a_task("make", platform=platform)

        found = {
            cluster.run(task, Placement(native=native), Watched(), Event()).worker
            for native in (True, False)
        }

        assert [natives[each] for each in found] == [{str(platform)}]

    def test_a_step_runs_on_one_of_the_workers_that_it_is_for(self, cluster: Cluster) -> None:
        for worker in cluster.workers():
            placement = Placement(only=(worker.address,))

            assert cluster.run(a_task("x"), placement, Watched(), Event()).worker == worker.address

    def test_advice_is_followed_by_workers_that_have_time(self, cluster: Cluster) -> None:
        for worker in cluster.workers():
            placement = Placement(prefer=(worker.address,))

            assert cluster.run(a_task("x"), placement, Watched(), Event()).worker == worker.address

    def test_a_step_for_a_worker_that_is_gone_names_it(self, cluster: Cluster) -> None:
        with pytest.raises(WorkerGone, match=r"127\.0\.0\.9"):
            placement = Placement(only=("tcp://127.0.0.9:9",))
            cluster.run(a_task("make"), placement, Watched(), Event())

    def test_the_error_of_a_step_is_that_of_the_worker(self, cluster: Cluster) -> None:
        with pytest.raises(BuildError) as caught:
            cluster.run(a_task("fail"), Placement(), Watched(), Event())

        assert (caught.value.message, caught.value.hint) == ("it did not work", "do it otherwise")

    def test_a_worker_that_cannot_run_the_step_is_named(self, cluster: Cluster) -> None:
        address = cluster.workers()[0].address

        with pytest.raises(WorkerUnfit) as caught:
            cluster.run(a_task("full"), Placement(only=(address,)), Watched(), Event())

        assert caught.value.worker == address
        assert isinstance(caught.value.cause, StateError)
        assert (caught.value.cause.message, caught.value.hint) == ("no space left", "free some")

    def test_layers_that_a_worker_lacks_are_named(self, cluster: Cluster) -> None:
        with pytest.raises(LayersMissing) as caught:
            cluster.run(a_task("lacks"), Placement(), Watched(), Event())

        assert caught.value.digests == (Digest.of(b"base"),)

    def test_a_cancelled_step_is_stopped(self, cluster: Cluster) -> None:
        WAITING.clear()
        cancelled = Event()

        def stop() -> None:
            assert WAITING.wait(WAIT_S)
            cancelled.set()

        in_thread(stop)
        with pytest.raises(StepCanceled):
            cluster.run(a_task("wait"), Placement(), Watched(), cancelled)

        for _ in range(4):  # no slot is taken for ever
            cluster.run(a_task("after"), Placement(), Watched(), Event())

    def test_a_worker_gets_the_secrets_of_its_step(self, cluster: Cluster) -> None:
        watch = Watched()

        cluster.run(replace(a_task("secret"), needs_secrets=True), Placement(), watch, Event())

        assert watch.text == f"1: {hashlib.sha256(SECRET).hexdigest()}"

    def test_a_worker_says_which_cache_mounts_it_keeps(self, cluster: Cluster) -> None:
        mounts = (KeptMount(name="go\0None:0:0:", layers=(a_layer("a"), a_layer("b"))),)
        task = replace(a_task("keep"), mounts=mounts, mount_limit=1)
        watch = Watched()

        assert cluster.run(task, Placement(), watch, Event()).keeps
        cluster.settle(WAIT_S)

        assert watch.mounts == [*mounts]

    def test_a_closed_cluster_runs_nothing(self, cluster: Cluster) -> None:
        cluster.close()
        cluster.close()

        with pytest.raises(SchedulerLost):
            cluster.run(a_task("make"), Placement(), Watched(), Event())
