"""The main function of the process that performs the tasks of a worker."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from img.adapters.cluster import codec
from img.adapters.cluster.vertex_protocol import (
    Answered,
    Event,
    Kept,
    Output,
    Solve,
    line_of,
    read_request,
)
from img.adapters.linux.records import BadRecord
from img.application.ports.cluster import ClusterError, TaskWatch, WorkerUnfit
from img.application.solver.share_mounts import shared_names
from img.domain.errors import ImgError
from img.domain.graph.operations import Exec
from img.entrypoints.cli import failures
from img.entrypoints.cli.session import Needs, Session

if TYPE_CHECKING:
    from img.application.usecases.solve_task import SolveTask
    from img.domain.graph.task import KeptMount, VertexTask

_PATIENCE_S = 10.0  # for the end of steps when the worker has ended


def serve(descriptor: int) -> NoReturn:
    """Perform the tasks from the socket ``descriptor`` until its end, and end the process."""
    os.set_inheritable(descriptor, False)
    code = 1
    try:
        with Session(command="img worker").open(needs=Needs.BUILD, quiet=True) as container:
            Server(socket.socket(fileno=descriptor), container.steps.solve_task()).serve()
        code = 0
    except ImgError as error:
        failures.report(error)
    except Exception:
        import traceback

        traceback.print_exc()
    sys.stderr.flush()
    os._exit(code)


class Server:
    """The connection to the worker; each task has a thread."""

    def __init__(self, connection: socket.socket, solve: SolveTask) -> None:
        self._connection = connection
        self._solve = solve
        self._turn = threading.Lock()
        self._one_at_a_time = threading.Lock()  # of the threads that keep mounts
        self._tasks: dict[int, _Task] = {}
        self._keeping: dict[int, _Task] = {}  # tasks that have ended

    def serve(self) -> None:
        """Perform tasks until the end of the connection, and stop those that are running."""
        requests: BinaryIO = self._connection.makefile("rb")
        with suppress(OSError, BadRecord):
            while (request := read_request(requests)) is not None:
                if isinstance(request, Solve):
                    self._begin(request)
                elif (task := self._tasks.get(request.number)) is not None:
                    task.cancelled.set()
        running = [*self._tasks.values(), *self._keeping.values()]
        for task in running:
            task.cancelled.set()
        end_s = monotonic() + _PATIENCE_S
        for task in running:
            task.join(max(0.0, end_s - monotonic()))

    def send(self, event: Event) -> None:
        """Send an event. Without a worker it is dropped."""
        line = line_of(event)
        with self._turn, suppress(OSError):
            self._connection.sendall(line)

    def _begin(self, request: Solve) -> None:
        task = self._tasks[request.number] = _Task(self, request)
        task.start()

    def answer_to(self, task: _Task) -> str:
        """Return the answer to a task, or the error."""
        try:
            task.decoded = codec.decode_task(task.request.task)
            self._stop_keeping(task.mounts)
            answer = self._solve(task.decoded, task, task.cancelled)
            task.keeps = answer.keeps
            return codec.encode_answer(answer)
        except ImgError as error:
            return codec.encode_error(error)
        except BadRecord:
            fault = ClusterError("a worker does not understand its task", hint=codec.SAME_VERSION)
            return codec.encode_error(fault)
        except OSError as error:
            if error.errno in failures.FULL:
                return codec.encode_error(WorkerUnfit("", failures.disk_full(error)))
            return self._crashed(error)
        except Exception as bug:
            return self._crashed(bug)

    def done(self, task: _Task, answer: str) -> None:
        """Send the answer to a task, and keep its cache mounts while no step needs them."""
        number = task.request.number
        self._tasks.pop(number, None)
        if not task.keeps:
            self.send(Answered(number, answer))
            return
        self._keeping[number] = task
        self.send(Answered(number, answer, keeps=True))
        record = self._kept(task)
        self._keeping.pop(number, None)
        self.send(Kept(number, record))

    def _stop_keeping(self, mounts: frozenset[str]) -> None:
        """Let a step that begins have its mounts: they are kept after it."""
        for each in list(self._keeping.values()):
            if mounts & each.mounts:
                each.cancelled.set()

    def _kept(self, task: _Task) -> str:
        """Return the record of the cache mounts that are in the shared store now."""
        assert task.decoded is not None
        in_use = any(task.mounts & each.mounts for each in list(self._tasks.values()))
        mounts: Sequence[KeptMount] = ()
        if not in_use:
            with self._one_at_a_time:
                try:
                    mounts = self._solve.keep(task.decoded, task.cancelled)
                except Exception:  # mounts are caches: the step has ended well
                    import traceback

                    traceback.print_exc()
        return codec.encode_kept(mounts)

    def _crashed(self, bug: Exception) -> str:
        import traceback

        traceback.print_exc()
        text = f"a fault of img on a worker: {type(bug).__name__}: {bug}"
        return codec.encode_error(
            ClusterError(text, hint="the log of the worker has the traceback")
        )


class _Task(threading.Thread, TaskWatch):
    """A running task."""

    def __init__(self, server: Server, request: Solve) -> None:
        super().__init__(name="task", daemon=True)
        self.request = request
        self.cancelled = threading.Event()
        self.decoded: VertexTask | None = None
        self.keeps = False
        self._server = server

    @property
    def mounts(self) -> frozenset[str]:
        """The names of the cache mounts that machines exchange."""
        if self.decoded is None or not isinstance(self.decoded.operation, Exec):
            return frozenset()
        return frozenset(shared_names(self.decoded.operation))

    def run(self) -> None:
        from img.application.cancellation import cancelled_by

        with cancelled_by(self.cancelled):
            self._server.done(self, self._server.answer_to(self))

    def begun(self, worker: str) -> None:
        """Do nothing: the worker has told it."""

    def secrets(self) -> Mapping[str, bytes]:
        return self.request.secrets

    def kept(self, mounts: Sequence[KeptMount]) -> None:
        """Do nothing: the server says it."""

    def output(self, stream: int, data: bytes) -> None:
        self._server.send(Output(self.request.number, stream, data))
