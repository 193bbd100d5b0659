"""The main function of the process that performs the tasks of a worker."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from img.adapters.cluster import codec
from img.adapters.cluster.vertex_protocol import (
    Answered,
    Event,
    Output,
    Solve,
    line_of,
    read_request,
)
from img.adapters.linux.records import BadRecord
from img.application.ports.cluster import ClusterError, TaskWatch, WorkerUnfit
from img.domain.errors import ImgError
from img.entrypoints.cli import failures
from img.entrypoints.cli.session import Needs, Session

if TYPE_CHECKING:
    from img.application.usecases.solve_task import SolveTask

_PATIENCE_S = 10.0  # for the end of steps when the worker has ended


def serve(descriptor: int) -> NoReturn:
    """Perform the tasks from the socket ``descriptor`` until its end, and end the process."""
    os.set_inheritable(descriptor, False)
    code = 1
    try:
        with Session(command="img worker").open(needs=Needs.BUILD, quiet=True) as container:
            _Server(socket.socket(fileno=descriptor), container.building.solve_task()).serve()
        code = 0
    except ImgError as error:
        failures.report(error)
    except Exception:
        import traceback

        traceback.print_exc()
    sys.stderr.flush()
    os._exit(code)


class _Server:
    """The connection to the worker; each task has a thread."""

    def __init__(self, connection: socket.socket, solve: SolveTask) -> None:
        self._connection = connection
        self._solve = solve
        self._turn = threading.Lock()
        self._tasks: dict[int, _Task] = {}

    def serve(self) -> None:
        """Perform tasks until the end of the connection, and stop those that are running."""
        requests: BinaryIO = self._connection.makefile("rb")
        with suppress(OSError, BadRecord):
            while (request := read_request(requests)) is not None:
                if isinstance(request, Solve):
                    self._begin(request)
                elif (task := self._tasks.get(request.number)) is not None:
                    task.cancelled.set()
        running = list(self._tasks.values())
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
            return codec.encode_answer(
                self._solve(codec.decode_task(task.request.task), task, task.cancelled)
            )
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

    def done(self, number: int) -> None:
        """Forget a task."""
        self._tasks.pop(number, None)

    def _crashed(self, bug: Exception) -> str:
        import traceback

        traceback.print_exc()
        text = f"a fault of img on a worker: {type(bug).__name__}: {bug}"
        return codec.encode_error(
            ClusterError(text, hint="the log of the worker has the traceback")
        )


class _Task(threading.Thread, TaskWatch):
    """A running task."""

    def __init__(self, server: _Server, request: Solve) -> None:
        super().__init__(name="task", daemon=True)
        self.request = request
        self.cancelled = threading.Event()
        self._server = server

    def run(self) -> None:
        from img.application.cancellation import cancelled_by

        with cancelled_by(self.cancelled):
            answer = self._server.answer_to(self)
        self._server.done(self.request.number)
        self._server.send(Answered(self.request.number, answer))

    def begun(self, worker: str) -> None:
        """Do nothing: the worker has told it."""

    def secrets(self) -> Mapping[str, bytes]:
        return self.request.secrets

    def output(self, stream: int, data: bytes) -> None:
        self._server.send(Output(self.request.number, stream, data))
