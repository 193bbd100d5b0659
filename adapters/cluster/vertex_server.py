"""The process of a worker that performs its tasks.

A worker of Dask has threads, and only a process with one enters namespaces. So tasks are performed
by a child process, several at a time. It ends with the socket, and its steps end with it.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from queue import Empty, Queue
from threading import Lock, Thread

import img
from img.adapters.cluster import codec
from img.adapters.cluster.vertex_protocol import (
    Answered,
    Event,
    Kept,
    Output,
    Request,
    Solve,
    Stop,
    line_of,
    read_event,
)
from img.adapters.linux.records import BadRecord
from img.application.ports.cluster import WorkerUnfit
from img.domain.errors import HostError

# As the Python API starts its engine (entrypoints/api/engine.py).
_START = (
    "import sys; sys.path.insert(0, sys.argv[2]); import img; sys.path.append(sys.path.pop(0)); "
    "from img.entrypoints.start import vertex_server; vertex_server(int(sys.argv[1]))"
)
_POLL_S = 0.1
_PATIENCE_S = 20.0  # for the end of steps


class VertexServer:
    """A running process; several threads give it tasks. It is started again when it has ended."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._numbers = count()
        self._waiting: dict[int, Queue[Event | None]] = {}
        self._keeping: dict[int, Callable[[str], None]] = {}  # for tasks that have ended
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None

    def perform(
        self,
        task: str,
        secrets: Mapping[str, bytes],
        on_output: Callable[[int, bytes], None],
        is_cancelled: Callable[[], bool],
        on_kept: Callable[[str], None],
    ) -> str:
        """Return the answer to a task, both as records (codec.py).

        ``on_kept`` is called later with its cache mounts, from another thread, if the answer says
        that they are being kept.
        """
        number, events = next(self._numbers), Queue[Event | None]()
        self._send(Solve(number, task, secrets), (events, on_kept))
        stopped = False
        while True:
            try:
                event = events.get(timeout=_POLL_S)
            except Empty:
                if not stopped and is_cancelled():
                    stopped = True
                    self._send(Stop(number))
                continue
            match event:
                case Output():
                    on_output(event.stream, event.data)
                case Answered():
                    return event.answer
                case _:
                    return codec.encode_error(WorkerUnfit("", self._ended()))

    def close(self) -> None:
        """End the process and its steps. Idempotent."""
        with self._lock:
            connection, self._connection = self._connection, None
            process, self._process = self._process, None
        if connection is not None:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        if process is not None:
            try:
                process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    @property
    def pid(self) -> int | None:
        """The number of the process, None before the first task."""
        return None if self._process is None else self._process.pid

    def _send(
        self,
        request: Request,
        receivers: "tuple[Queue[Event | None], Callable[[str], None]] | None" = None,
    ) -> None:
        with self._lock:
            if self._connection is None:
                self._start()
            assert self._connection is not None
            if receivers is not None:
                self._waiting[request.number], self._keeping[request.number] = receivers
            with suppress(OSError):  # the reader of its end answers
                self._connection.sendall(line_of(request))

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START, str(theirs.fileno()), _package_root()],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # Ctrl-C is for the worker, which then ends this process
            )
        self._connection = ours
        Thread(target=self._read, args=[ours], name="vertex events", daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as stream, suppress(OSError, BadRecord):
            while (event := read_event(stream)) is not None:
                if isinstance(event, Kept):
                    if on_kept := self._keeping.pop(event.number, None):
                        on_kept(event.mounts)
                    continue
                if isinstance(event, Answered):
                    queue = self._waiting.pop(event.number, None)
                    if not event.keeps:
                        self._keeping.pop(event.number, None)
                else:
                    queue = self._waiting.get(event.number)
                if queue is not None:
                    queue.put(event)
        with self._lock:
            if self._connection is connection:
                self._connection = None
            waiting, self._waiting = self._waiting, {}
            keeping, self._keeping = self._keeping, {}
        for queue in waiting.values():
            queue.put(None)
        for number in keeping.keys() - waiting.keys():
            keeping[number](codec.encode_kept(()))  # the client waits no longer

    def _ended(self) -> HostError:
        process = self._process
        status = None
        if process is not None:
            with suppress(subprocess.TimeoutExpired):
                status = process.wait(1)
        how = f"signal {-status}" if status and status < 0 else f"status {status}"
        return HostError(
            f"the process that runs its steps ended with {how}",
            hint="see whether the memory of that machine ran out",
        )


def _package_root() -> str:
    assert img.__file__ is not None
    return os.path.dirname(os.path.dirname(Path(img.__file__).absolute()))
