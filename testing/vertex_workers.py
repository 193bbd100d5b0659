"""Contract suite of workers that run steps."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime
from threading import Barrier, Event, Thread
from typing import Protocol

import pytest

from img.application.cancellation import StepCanceled
from img.application.ports.executor import Cancellation
from img.application.ports.vertex_workers import VertexWork, VertexWorkers
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import BuildError
from img.domain.graph.operations import Exec
from img.domain.graph.task import KeptMount, TaskInput, VertexAnswer, VertexTask
from img.domain.oci.chain import DiffID, Layer
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.media_types import OCI_LAYER_GZIP
from img.domain.platform import Platform

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
SECRET = b"xyzzy-the-secret-5281"
WAIT_S = 20  # longer than any of these waits takes, if all is well


def a_layer(name: str) -> Layer:
    """Return a layer that exists in name only."""
    content = name.encode()
    blob = Descriptor(media_type=OCI_LAYER_GZIP, digest=Digest.of(content), size=len(content))
    return Layer(DiffID(Digest.of(b"tar of " + content)), blob)


def a_task(*script: str, platform: Platform | None = None) -> VertexTask:
    """Return a task that ``play`` performs."""
    base = TaskInput(
        key=Digest.of(b"base"),
        layers=(a_layer("base"),),
        below=((Digest.of(b"a"), Digest.of(b"b")),),
    )
    return VertexTask(
        name="RUN " + " ".join(script),
        operation=Exec(argv=script, platform=platform),
        inputs=(base,),
        platform=platform,
        origins=((a_layer("base").descriptor.digest, ("registry.example/base",)),),
    )


class Watch(Protocol):
    """A receiver of what happens to a step."""

    def output(self, stream: int, data: bytes) -> None:
        """Take output."""


MEETING = Barrier(2, timeout=WAIT_S)
"""Two steps that say ``meet`` wait for each other."""

WAITING = Event()
"""Set when a step that says ``wait`` has begun."""


def play(task: VertexTask, watch: Watch, cancelled: Cancellation) -> VertexAnswer:
    """Perform the words of a task: say:TEXT, fail, meet, wait; the layer is that of all words."""
    assert isinstance(task.operation, Exec)
    for word in task.operation.argv:
        match word.partition(":"):
            case "say", _, text:
                watch.output(1, f"{text}\n".encode())
            case "fail", _, _:
                raise BuildError("it did not work", hint="do it otherwise")
            case "meet", _, _:
                MEETING.wait()
            case "wait", _, _:
                WAITING.set()
                assert cancelled.wait(WAIT_S)
                raise StepCanceled
    return VertexAnswer(layer=a_layer(" ".join(task.operation.argv)), created=NOON)


@dataclass(slots=True)
class PlayedWork(VertexWork):
    """A task that is played, wherever."""

    played: VertexTask | None
    in_process: VertexTask | None = None  # where ``played`` is None
    cancelled: Event = field(default_factory=Event)
    log: list[str] = field(default_factory=list)
    shared: list[Digest] = field(default_factory=list)

    def here(self) -> VertexAnswer:
        task = self.played or self.in_process
        assert task is not None
        self.log.append("here")
        return play(task, self, self.cancelled)

    def task(self) -> VertexTask | None:
        return self.played

    def share(self, layers: Sequence[Digest]) -> None:
        self.shared += layers

    def begun(self, worker: str) -> None:
        self.log.append(f"on {worker}")

    def secrets(self) -> Mapping[str, bytes]:
        return {"s": SECRET}

    def kept(self, mounts: Sequence[KeptMount]) -> None:
        self.log += [f"kept {each.name}" for each in mounts]

    def output(self, stream: int, data: bytes) -> None:
        self.log.append(f"{stream}: {data.decode()}")

    @property
    def said(self) -> list[str]:
        """The output so far."""
        return [line for line in self.log if line[:2] in ("1:", "2:")]


def work(*script: str) -> PlayedWork:
    """Return work for any worker."""
    return PlayedWork(a_task(*script))


def in_thread(call: Callable[[], object]) -> Thread:
    """Return a started thread that calls ``call``."""
    thread = Thread(target=call, daemon=True)
    thread.start()
    return thread


class VertexWorkersContract:
    """Promises of all VertexWorkers.

    Fixtures: ``workers``, which let ``play`` perform their tasks, two or more at a time.
    """

    def test_a_step_gives_its_layer(self, workers: VertexWorkers) -> None:
        assert workers.run(work("make"), Event()).layer == a_layer("make")

    def test_output_arrives_in_order_before_the_result(self, workers: VertexWorkers) -> None:
        words = [f"say:{number}" for number in range(20)]
        talking = work(*words)

        workers.run(talking, Event())

        assert talking.said == [f"1: {number}\n" for number in range(20)]

    def test_a_failure_is_that_of_the_step(self, workers: VertexWorkers) -> None:
        failing = work("say:before", "fail")

        with pytest.raises(BuildError) as caught:
            workers.run(failing, Event())

        assert (caught.value.message, caught.value.hint) == ("it did not work", "do it otherwise")
        assert caught.value.exit_code == BuildError.exit_code
        assert failing.said == ["1: before\n"]

    def test_steps_run_at_the_same_time(self, workers: VertexWorkers) -> None:
        MEETING.reset()
        other = in_thread(lambda: workers.run(work("meet"), Event()))

        workers.run(work("meet"), Event())

        other.join(WAIT_S)
        assert not other.is_alive()

    def test_a_step_is_stopped_by_its_cancellation(self, workers: VertexWorkers) -> None:
        WAITING.clear()
        waiting = work("wait")

        def stop() -> None:
            assert WAITING.wait(WAIT_S)
            waiting.cancelled.set()

        in_thread(stop)
        with pytest.raises(StepCanceled):
            workers.run(waiting, waiting.cancelled)

        assert workers.run(work("after"), Event()).layer == a_layer("after")

    def test_a_step_that_only_this_process_can_run_is_run_here(
        self, workers: VertexWorkers
    ) -> None:
        own = PlayedWork(None, a_task("say:here"))

        assert workers.run(own, Event()).layer == a_layer("say:here")
        assert own.log == ["here", "1: here\n"]

    def test_a_slot_is_free_again_after_each_step(self, workers: VertexWorkers) -> None:
        for number in range(20):
            workers.run(work(f"say:{number}"), Event())

    def test_closing_twice_does_no_harm(self, workers: VertexWorkers) -> None:
        workers.close()
        workers.close()
