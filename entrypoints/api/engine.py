"""The caller's side of an engine: a process of its own that ends with its object."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, BinaryIO

from img.domain.errors import HostError, ImgError
from img.domain.progress import Event
from img.entrypoints.api import errors
from img.entrypoints.engine import protocol
from img.entrypoints.engine.protocol import (
    Answer,
    Crashed,
    Failed,
    ImageRecord,
    Message,
    Ran,
    Request,
    Run,
)

Progress = Event | Message
"""What ``on_progress`` is called with: an event of a build or a transfer, or a line of text."""

OnProgress = Callable[[Progress], None]

_START = (
    "import sys; sys.path.append(sys.argv[2]); "
    "from img.entrypoints.start import engine; engine(int(sys.argv[1]))"
)
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
        ours, theirs = socket.socketpair()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
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
        self._end = weakref.finalize(self, _end, ours, self._answers, process, self._log)

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process and wait for its end; a running command is cancelled. Idempotent."""
        self._end()

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    @property
    def is_open(self) -> bool:
        """True until the engine is closed."""
        return self._end.alive

    def cancel(self) -> None:
        """Cancel the running command; the thread that waits for it gets EngineEnded.

        Other threads may call it.
        """
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def run(self, arguments: Sequence[str], on_progress: OnProgress | None = None) -> Ran:
        """Run a command and return its result. Raises ImgError, EngineCrashed.

        An exception of ``on_progress`` cancels the command when the engine is closed.
        """
        for answer in self.ask(Run(tuple(arguments)), on_progress):
            assert isinstance(answer, Ran)
            return answer
        raise AssertionError

    def ask(self, request: Request, on_progress: OnProgress | None = None) -> Iterator[Answer]:
        """Yield the answers to ``request`` that are no progress; the caller knows the last one.

        Raises ImgError, EngineCrashed.
        """
        try:
            self._connection.sendall(protocol.line_of(request))
        except OSError:
            raise self._ended() from None
        while True:
            try:
                answer = protocol.read_answer(self._answers)
            except (OSError, ValueError):  # closed by another thread, or the last line is cut off
                answer = None
            match answer:
                case None:
                    raise self._ended()
                case Failed():
                    raise errors.error_of(answer)
                case Crashed():
                    raise EngineCrashed(answer.traceback)
                case _ if isinstance(answer, Progress):
                    if on_progress is not None:
                        on_progress(answer)
                case _:
                    yield answer

    def _ended(self) -> ImgError:
        written = ""
        if self._end.alive:
            self.cancel()
            _wait(self._process)
            written = _tail(self._log)
        self.close()
        return EngineEnded(self._process.returncode or 0, written)


def _end(
    connection: socket.socket, answers: BinaryIO, process: subprocess.Popen[bytes], log: IO[bytes]
) -> None:
    answers.close()
    connection.close()
    try:
        _wait(process)
    finally:
        log.close()


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_PATIENCE_S)
    except BaseException:  # also a second Ctrl-C
        process.kill()
        process.wait()
        raise


def _tail(log: IO[bytes]) -> str:
    log.seek(max(0, log.seek(0, os.SEEK_END) - _SHOWN))
    return " ".join(log.read().decode("utf-8", "replace").split())


def _python() -> list[str]:
    if not sys.executable:
        raise HostError(
            "this program does not say which Python runs it, so img cannot start its process",
            hint="set sys.executable to the path of a Python that has img",
        )
    # Without -P, the first place of modules would be the working directory.
    return [sys.executable, "-I" if sys.flags.isolated else "-P"]


def _package_root() -> str:
    import img

    return str(Path(img.__file__).resolve().parents[1])


__all__ = ["Engine", "EngineCrashed", "EngineEnded", "ImageRecord", "OnProgress", "Progress"]
