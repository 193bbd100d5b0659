"""The process that performs the tasks of a worker: cache mounts while other steps run."""

import socket
from collections.abc import Iterator, Sequence
from dataclasses import field
from queue import Queue
from threading import Event, Thread
from typing import Any, cast

import pytest

from img.adapters.cluster import codec
from img.adapters.cluster.vertex_protocol import Answered, Kept, Solve, line_of, read_event
from img.application.cancellation import StepCanceled
from img.application.ports.cluster import TaskWatch
from img.application.ports.executor import Cancellation
from img.domain.dataclass import dataclass
from img.domain.graph.operations import Exec, ExecMount
from img.domain.graph.task import KeptMount, VertexAnswer, VertexTask
from img.entrypoints.cluster.serve import Server
from img.testing.vertex_workers import NOON, a_layer, a_task

WAIT_S = 30
NAME = "{}\0None:0:0:"


def a_step(name: str, cache: str) -> str:
    mount = ExecMount(type="cache", target="/c", id=cache, read_only=False)
    operation = Exec(argv=("make", name), mounts=(mount,))
    return codec.encode_task(
        VertexTask(name=name, operation=operation, inputs=a_task().inputs, mount_limit=1)
    )


@dataclass(slots=True)
class Steps:
    """Steps that run, and mounts that are kept, until a test lets them end."""

    begun: "Queue[str]" = field(default_factory=Queue)
    keeping: "Queue[str]" = field(default_factory=Queue)
    stopped: "Queue[str]" = field(default_factory=Queue)
    ends: dict[str, Event] = field(default_factory=dict)

    def __call__(self, task: VertexTask, _watch: TaskWatch, cancelled: Event) -> VertexAnswer:
        self.begun.put(task.name)
        end = self.ends.setdefault(task.name, Event())
        while not end.wait(0.01):
            if cancelled.is_set():
                raise StepCanceled
        return VertexAnswer(layer=None, created=NOON, keeps=True)

    def keep(self, task: VertexTask, cancelled: Cancellation) -> Sequence[KeptMount]:
        assert isinstance(task.operation, Exec)
        self.keeping.put(task.name)
        end = self.ends.setdefault(f"keep {task.name}", Event())
        while not end.wait(0.01):
            if cancelled.is_set():
                self.stopped.put(task.name)
                return ()
        return [KeptMount(name=NAME.format(task.operation.mounts[0].id), layers=(a_layer("a"),))]

    def end(self, name: str) -> None:
        self.ends.setdefault(name, Event()).set()


class Client:
    """The worker's side of the connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._events = connection.makefile("rb")

    def begin(self, number: int, task: str) -> None:
        self._connection.sendall(line_of(Solve(number, task, {})))

    def event(self) -> object:
        return read_event(self._events)

    def kept(self) -> tuple[int, Sequence[KeptMount]]:
        """Return the number and the mounts of the next event, which must be Kept."""
        event = self.event()
        assert isinstance(event, Kept)
        return event.number, codec.kept_from(event.mounts)

    def answered(self) -> int:
        """Return the number of the next event, which must be an answer that mounts follow."""
        event = self.event()
        assert isinstance(event, Answered) and event.keeps
        return event.number


@pytest.fixture
def steps() -> Steps:
    return Steps()


@pytest.fixture
def client(steps: Steps) -> Iterator[Client]:
    ours, theirs = socket.socketpair()
    ours.settimeout(WAIT_S)
    serving = Thread(target=Server(theirs, cast(Any, steps)).serve)
    serving.start()
    yield Client(ours)
    ours.shutdown(socket.SHUT_RDWR)
    serving.join(WAIT_S)
    assert not serving.is_alive()
    ours.close()
    theirs.close()


def test_mounts_follow_the_answer(client: Client, steps: Steps) -> None:
    client.begin(1, a_step("a", "go"))
    steps.end("a")

    assert client.answered() == 1
    assert steps.keeping.get(timeout=WAIT_S) == "a"
    steps.end("keep a")
    assert client.kept() == (1, (KeptMount(name=NAME.format("go"), layers=(a_layer("a"),)),))


def test_a_step_with_the_same_mount_stops_it_and_one_with_another_does_not(
    client: Client, steps: Steps
) -> None:
    client.begin(1, a_step("a", "go"))
    steps.end("a")
    assert client.answered() == 1
    assert steps.keeping.get(timeout=WAIT_S) == "a"

    client.begin(2, a_step("b", "npm"))
    assert [steps.begun.get(timeout=WAIT_S) for _ in range(2)] == ["a", "b"]
    assert steps.stopped.empty()
    client.begin(3, a_step("c", "go"))

    assert client.kept() == (1, ())
    assert steps.stopped.get(timeout=WAIT_S) == "a"


def test_the_last_one_of_several_steps_with_a_mount_keeps_it(client: Client, steps: Steps) -> None:
    for number, name in enumerate("ab"):
        client.begin(number, a_step(name, "go"))
        assert steps.begun.get(timeout=WAIT_S) == name

    steps.end("a")
    assert client.answered() == 0
    assert client.kept() == (0, ())
    assert steps.keeping.empty()

    steps.end("b")
    steps.end("keep b")
    assert client.answered() == 1
    assert client.kept()[1]


def test_the_end_of_the_worker_stops_steps_and_mounts(client: Client, steps: Steps) -> None:
    client.begin(1, a_step("a", "go"))
    steps.end("a")
    assert client.answered() == 1

    assert steps.keeping.get(timeout=WAIT_S) == "a"  # the fixture waits for its end
