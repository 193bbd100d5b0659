"""The caller's side of an engine: a process of its own that ends with its object."""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO, TYPE_CHECKING, BinaryIO

from img.domain.errors import HostError
from img.domain.progress import Event
from img.domain.shown_text import shown_in_line
from img.entrypoints.api import errors
from img.entrypoints.engine import protocol
from img.entrypoints.engine.protocol import (
    Answer,
    BadRecord,
    Crashed,
    End,
    Failed,
    Found,
    ImageRecord,
    Message,
    Opened,
    Ran,
    Request,
    Run,
)

if TYPE_CHECKING:
    import socket
    import subprocess

Progress = Event | Message
"""What ``on_progress`` is called with: an event of a build or a transfer, or a line of text."""

OnProgress = Callable[[Progress], None]

# The caller's img, even if this Python finds another one. Its parent directory is then the last
# place of modules: a checkout has directories with common names.
_START = (
    "import sys; sys.path.insert(0, sys.argv[2]); import img; sys.path.append(sys.path.pop(0)); "
    "from img.entrypoints.start import engine; engine(int(sys.argv[1]))"
)
_LAST = (Ran, Found, End, Opened)  # the answers that no other answer follows
_PATIENCE_S = 20.0  # for the end of steps and mounts of an engine
_SHOWN = 4000  # bytes of what an engine wrote before its end


class EngineEnded(HostError):
    """An engine that ended without an answer: it was killed, or could not start."""

    def __init__(self, status: int, written: str) -> None:
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        text = f": {written}" if written else ""
        super().__init__(
            f"the img process ended with {how}{text}",
            hint="see whether the memory of this machine, or of this container, ran out",
        )
        self.status = status


class EngineCrashed(RuntimeError):
    """A bug in img: an unexpected exception in the engine; the message is its traceback."""


class Engine:
    """A running engine; ``close``, garbage collection and the end of this process end it.

    It has a session of its own: Ctrl-C at the terminal reaches this process alone, which then ends
    the engine. One thread at a time uses an Engine.
    """

    def __init__(
        self, *, stdin: int | BinaryIO | None = None, stdout: int | BinaryIO | None = None
    ) -> None:
        """Start the process. Raises HostError.

        Its standard input is empty by default, and its standard output cannot be written.
        """
        import socket  # a fifth of the time of "from img import build"
        import subprocess

        ours, theirs = socket.socketpair()
        # No temporary file: tempfile takes 5 ms to import.
        self._log = open(os.memfd_create("img"), "w+b")  # noqa: SIM115
        nothing = os.open(os.devnull, os.O_RDONLY)
        try:
            process = subprocess.Popen(
                [*_python(), "-c", _START, str(theirs.fileno()), _package_root()],
                stdin=nothing if stdin is None else stdin,
                stdout=nothing if stdout is None else stdout,
                stderr=self._log,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            self._log.close()
            raise
        finally:
            os.close(nothing)
            theirs.close()
        self._process = process
        self._answers: BinaryIO = ours.makefile("rb")
        self._connection = ours
        self._is_answering = False
        self._end = weakref.finalize(
            self, _end, ours, self._answers, process, self._log, os.getpid()
        )

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()

    def close(self) -> None:
        """End the process and wait for its end; a running command is cancelled. Idempotent.

        Raises EngineEnded if the process had to be killed.
        """
        if self._end():
            raise EngineEnded(
                self._process.returncode, f"it did not end within {_PATIENCE_S:.0f} seconds"
            )

    def abandon(self) -> None:
        """Close the engine because of an exception, which is more important than how it ends."""
        with suppress(EngineEnded):
            self.close()

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    @property
    def is_open(self) -> bool:
        """True until the engine is closed, and while it is not in the middle of its answers."""
        return self._end.alive and not self._is_answering

    def cancel(self) -> None:
        """Cancel the running command; the thread that waits for it gets EngineEnded.

        Other threads may call it.
        """
        _shut_down(self._connection)

    def run(self, arguments: Sequence[str], on_progress: OnProgress | None = None) -> Ran:
        """Run a command and return its result. Raises ImgError, EngineCrashed.

        An exception of ``on_progress`` cancels the command and closes the engine.
        """
        (answer,) = self.ask(Run(tuple(arguments)), on_progress)
        assert isinstance(answer, Ran)
        return answer

    def ask(self, request: Request, on_progress: OnProgress | None = None) -> list[Answer]:
        """Return the answers to ``request`` that are no progress, the last one too.

        The engine can be used again after the last answer, also if that is an error of the engine.
        Each other exception, such as one of a signal handler, closes it: the rest of the answers
        would be read as those to the next request. Raises ImgError, EngineCrashed.
        """
        self._is_answering = True
        try:
            return self._exchange(request, on_progress)
        except BaseException:
            if self._is_answering:
                self.abandon()
            raise

    def _exchange(self, request: Request, on_progress: OnProgress | None) -> list[Answer]:
        found: list[Answer] = []
        self._send(request)
        while True:
            match answer := self._receive():
                case Failed():
                    self._is_answering = False
                    raise errors.error_of(answer)
                case Crashed():
                    self._is_answering = False
                    raise EngineCrashed(answer.traceback)
                case _ if isinstance(answer, Progress):
                    if on_progress is not None:
                        on_progress(answer)
                case _:
                    found.append(answer)
                    if isinstance(answer, _LAST):
                        self._is_answering = False
                        return found

    def _send(self, request: Request) -> None:
        try:
            self._connection.sendall(protocol.line_of(request))
        except ConnectionError:
            raise self._ended() from None
        except OSError:  # also of a signal handler
            if self._end.alive:
                raise
            raise self._ended() from None

    def _receive(self) -> Answer:
        try:
            answer = protocol.read_answer(self._answers)
        except ConnectionError:
            answer = None
        except BadRecord as error:
            raise EngineCrashed(f"the img process sent an unknown answer: {error}") from None
        except (OSError, ValueError):  # also of a signal handler
            if self._end.alive:
                raise
            answer = None
        if answer is None:
            raise self._ended()
        return answer

    def _ended(self) -> EngineEnded:
        written = ""
        if self._end.alive:
            self.cancel()
            _wait(self._process)
            written = _tail(self._log)
        self.abandon()
        return EngineEnded(self._process.returncode or 0, written)


def _end(
    connection: socket.socket,
    answers: BinaryIO,
    process: subprocess.Popen[bytes],
    log: IO[bytes],
    creator: int,
) -> bool:
    """Close the connection and wait for the process; return whether it had to be killed.

    A fork of the caller has a copy of the connection: it must not end it for the caller, and the
    engine must not wait for the end of the copy.
    """
    is_creator = os.getpid() == creator
    if is_creator:
        _shut_down(connection)
    answers.close()
    connection.close()
    try:
        return is_creator and _wait(process)
    finally:
        log.close()


def _shut_down(connection: socket.socket) -> None:
    import socket

    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _wait(process: subprocess.Popen[bytes]) -> bool:
    """Wait for the end of the process; return whether it had to be killed."""
    import subprocess

    try:
        process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    except BaseException:  # also a second Ctrl-C
        process.kill()
        process.wait()
        raise
    return False


def _tail(log: IO[bytes]) -> str:
    log.seek(max(0, log.seek(0, os.SEEK_END) - _SHOWN))
    text = log.read().decode("utf-8", "replace")
    return shown_in_line(" ".join(text.split()))


def _python() -> list[str]:
    if getattr(sys, "frozen", False):
        raise HostError(
            "this program is one file with its own Python, which img cannot start again",
            hint="run the program `img` instead, or use a Python that has img",
        )
    if not sys.executable:
        raise HostError(
            "this program does not say which Python runs it, so img cannot start its process",
            hint="set sys.executable to the path of a Python that has img",
        )
    # Without -P, the first place of modules would be the working directory.
    return [sys.executable, "-I" if sys.flags.isolated else "-P"]


def _package_root() -> str:
    import img

    return os.path.dirname(os.path.dirname(os.path.realpath(img.__file__)))


__all__ = ["Engine", "EngineCrashed", "EngineEnded", "ImageRecord", "OnProgress", "Progress"]
