"""The part of tasks that runs in workers of Dask.

The scheduler and its dashboard see a number, records without secrets, and events of the same kind.
"""

from collections.abc import Callable, Mapping
from queue import Empty, Queue
from threading import Lock
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from distributed import Worker, get_worker

from img.adapters.cluster import codec
from img.adapters.cluster.code_version import code_version
from img.adapters.cluster.vertex_server import VertexServer
from img.application.ports.cluster import ClusterError, OtherVersion

BEGUN, OUTPUT, SECRETS, ANSWER, KEPT = "begun", "output", "secrets", "answer", "kept"
"""The kinds of events."""

_servers: "WeakKeyDictionary[Worker, Performer]" = WeakKeyDictionary()
_lock = Lock()


_given: "dict[str, Queue[bytes]]" = {}  # sealed secrets by the number of their task
_PATIENCE_S = 30.0  # for secrets


class Performer(Protocol):
    """A thing that performs tasks: VertexServer, or one of a test."""

    def perform(
        self,
        task: str,
        secrets: Mapping[str, bytes],
        on_output: Any,
        is_cancelled: Any,
        on_kept: Any,
    ) -> str:
        """Return the answer to a task."""


def set_performer(worker: Worker, performer: Performer) -> None:
    """Let another thing than a child process perform the tasks of ``worker``."""
    with _lock:
        _servers[worker] = performer


def give_secrets(number: str, sealed: bytes) -> None:
    """Give secrets to a task that waits for them."""
    queue = _given.get(number)
    if queue is not None:
        queue.put(sealed)


def run_task(version: str, task: str, topic: str, number: str, needs_secrets: bool) -> None:
    """Perform a task for the client that listens to ``topic``; its answer is the last event."""
    worker = get_worker()
    key = worker.get_current_task()

    def tell(kind: str, stream: int = 0, data: bytes = b"") -> None:
        worker.log_event(topic, [number, worker.address, kind, stream, data])

    def is_cancelled() -> bool:
        state = worker.state.tasks.get(key)
        return state is None or state.state == "cancelled" or worker.status.name != "running"

    if version != code_version():
        error = OtherVersion(worker.address, code_version(), version)
        tell(ANSWER, data=codec.encode_error(error).encode("ascii"))
        return
    tell(BEGUN)
    secrets: Mapping[str, bytes] = {}
    if needs_secrets:
        try:
            secrets = _received(number, lambda public: tell(SECRETS, data=public))
        except (Empty, ValueError):
            fault = ClusterError(f"the client did not send its secrets to {worker.address}")
            tell(ANSWER, data=codec.encode_error(fault).encode("ascii"))
            return
    answer = _performer_of(worker).perform(
        task,
        secrets,
        lambda stream, data: tell(OUTPUT, stream, data),
        is_cancelled,
        lambda mounts: tell(KEPT, data=mounts.encode("ascii")),
    )
    tell(ANSWER, data=answer.encode("ascii"))


def _received(number: str, ask: Callable[[bytes], None]) -> Mapping[str, bytes]:
    """Return the secrets of a task from its client. Raises Empty, NotSealed."""
    from img.adapters.cluster.sealed import SealedBox  # few tasks have secrets

    box = SealedBox()
    queue = _given[number] = Queue[bytes]()
    try:
        ask(box.public)
        return box.opened(queue.get(timeout=_PATIENCE_S))
    finally:
        del _given[number]


def _performer_of(worker: Worker) -> Performer:
    with _lock:
        return _servers.setdefault(worker, VertexServer())
