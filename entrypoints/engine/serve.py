"""The main function of the engine."""

from __future__ import annotations

import atexit
import io
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NoReturn, TextIO

from img.domain.errors import ImgError, SourceError
from img.domain.progress import Event
from img.entrypoints.cli import app, failures, interrupts
from img.entrypoints.cli.session import Session
from img.entrypoints.engine import protocol, results
from img.entrypoints.engine.protocol import Answer, Crashed, Failed, Message, Ran, Run

_PEER_GONE = select.POLLRDHUP | select.POLLHUP | select.POLLERR


def serve(descriptor: int) -> NoReturn:
    """Answer the requests from the socket ``descriptor`` until its end, and end the process."""
    os.set_inheritable(descriptor, False)
    interrupts.install_handlers()
    channel = Channel(socket.socket(fileno=descriptor))
    sys.stdout = _Lines(channel.say, sys.stdout)
    sys.stderr = _Lines(channel.say, sys.stderr)
    # Interrupted: the caller is gone, or does not want the answer.
    code = 1
    try:
        with suppress(KeyboardInterrupt, interrupts.Terminated):
            channel.answer_all()
        code = 0
    except Exception:
        import traceback

        os.write(2, traceback.format_exc().encode("utf-8", "replace"))
    interrupts.ignore()
    atexit._run_exitfuncs()
    os._exit(code)


class Channel:
    """The connection to the caller (a ``Caller`` of sessions)."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._requests: BinaryIO = connection.makefile("rb")
        self._turn = threading.Lock()
        self._caller = _open_process(os.getppid())
        self._watching = False
        self.state: Path | None = None  # of the last command

    def answer_all(self) -> None:
        """Answer requests one after the other."""
        from img.entrypoints.engine.reader import Reader  # most engines read no image

        with Reader(self) as reader:
            while (request := protocol.read_request(self._requests)) is not None:
                if isinstance(request, Run):
                    self._guarded(self._ran(request))
                else:
                    self._guarded(reader.answers(request))

    def send(self, answer: Answer) -> None:
        """Send an answer. Without a caller it is dropped: the process ends."""
        line = protocol.line_of(answer)
        with self._turn, suppress(OSError):
            self._connection.sendall(line)

    def say(self, text: str) -> None:
        """Send a line that the command line would print."""
        self.send(Message(text))

    def on_event(self, event: Event) -> None:
        """Send a progress event."""
        self.send(event)

    def on_open(self, state: Path) -> None:
        """Let the end of the caller, or of its connection, be a SIGTERM to this process.

        PR_SET_PDEATHSIG is no replacement: it fires when the thread that started this process ends.
        """
        self.state = state
        if not self._watching:
            self._watching = True
            threading.Thread(target=self._watch, name="watch", daemon=True).start()

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self._connection, _PEER_GONE)
        if self._caller is not None:
            poll.register(self._caller, select.POLLIN)
        poll.poll()
        os.kill(os.getpid(), signal.SIGTERM)

    def _ran(self, request: Run) -> Iterator[Answer]:
        session = Session(caller=self)
        arguments = list(request.arguments)
        try:
            result = app.invoke(arguments, session)
        except Exception as problem:
            misuse = app.misuse_of(problem, arguments)
            if misuse is None:
                raise
            raise misuse from None
        yield Ran(
            state=str(self.state or session.state_path()),
            images=results.images_of(result),
            lines=results.lines_of(result),
        )

    def _guarded(self, answers: Iterator[Answer]) -> None:
        try:
            for answer in answers:
                self.send(answer)
        except ImgError as error:
            self.send(failure_of(error))
        except OSError as error:
            if error.errno in failures.FULL:
                self.send(failure_of(failures.disk_full(error)))
            else:
                self._crash(error)
        except Exception as bug:
            self._crash(bug)

    def _crash(self, bug: Exception) -> None:
        import traceback

        if isinstance(bug.__cause__, KeyboardInterrupt | interrupts.Terminated):
            raise bug.__cause__  # Python 3.11 wraps an exception of __set_name__ in a RuntimeError
        self.send(Crashed("".join(traceback.format_exception(bug))))


def failure_of(error: ImgError) -> Failed:
    """Return the record of ``error``."""
    return Failed(
        kinds=tuple(kind.__name__ for kind in type(error).__mro__ if issubclass(kind, ImgError)),
        message=error.message,
        hint=error.hint,
        exit_code=error.exit_code,
        lines=error.lines if isinstance(error, SourceError) else None,
        excerpt=error.excerpt if isinstance(error, SourceError) else "",
    )


def _open_process(pid: int) -> int | None:
    """Return a descriptor that is readable when the process ended, None if it has ended."""
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


class _Lines(io.TextIOBase):
    """A text stream that passes on whole lines; ``buffer`` is the binary stream of ``below``."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, on_line: Callable[[str], None], below: TextIO) -> None:
        self._on_line = on_line
        self._below = below  # its end would close the buffer
        self.buffer = below.buffer
        self._rest = ""
        self._turn = threading.Lock()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.buffer.fileno()

    def isatty(self) -> bool:
        return False

    def write(self, text: str) -> int:
        with self._turn:
            *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._on_line(line)
        return len(text)

    def flush(self) -> None:
        self.buffer.flush()
