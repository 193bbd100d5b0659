"""The part of tasks that runs in workers of Dask.

The scheduler and its dashboard see a number, records without secrets, and events of the same kind.
"""

from threading import Lock
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from distributed import Worker, get_worker

from img import __version__
from img.adapters.cluster import codec
from img.adapters.cluster.vertex_server import VertexServer
from img.application.ports.cluster import OtherVersion

BEGUN, OUTPUT, ANSWER = "begun", "output", "answer"
"""The kinds of events."""

_servers: "WeakKeyDictionary[Worker, Performer]" = WeakKeyDictionary()
_lock = Lock()


class Performer(Protocol):
    """A thing that performs tasks: VertexServer, or one of a test."""

    def perform(self, task: str, on_output: Any, is_cancelled: Any) -> str:
        """Return the answer to a task."""


def set_performer(worker: Worker, performer: Performer) -> None:
    """Let another thing than a child process perform the tasks of ``worker``."""
    with _lock:
        _servers[worker] = performer


def run_task(version: str, task: str, topic: str, number: str) -> None:
    """Perform a task for the client that listens to ``topic``; its answer is the last event."""
    worker = get_worker()
    key = worker.get_current_task()

    def tell(kind: str, stream: int = 0, data: bytes = b"") -> None:
        worker.log_event(topic, [number, worker.address, kind, stream, data])

    def is_cancelled() -> bool:
        state = worker.state.tasks.get(key)
        return state is None or state.state == "cancelled" or worker.status.name != "running"

    if version != __version__:
        error = OtherVersion(worker.address, __version__, version)
        tell(ANSWER, data=codec.encode_error(error).encode("ascii"))
        return
    tell(BEGUN)
    answer = _performer_of(worker).perform(
        task, lambda stream, data: tell(OUTPUT, stream, data), is_cancelled
    )
    tell(ANSWER, data=answer.encode("ascii"))


def _performer_of(worker: Worker) -> Performer:
    with _lock:
        return _servers.setdefault(worker, VertexServer())
