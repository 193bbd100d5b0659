"""The caller's side of a running step: output, cancellation, exit status."""

import os
import select
import signal
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from img.adapters.executor.fork_server import ForkServer
from img.adapters.executor.launch import Launch
from img.adapters.executor.mount_points import remove_mount_points
from img.adapters.executor.reports import (
    Crashed,
    Ended,
    MountPoint,
    NotExecuted,
    NotStarted,
    Refused,
    Report,
    Starting,
    TerminalMade,
    receive,
)
from img.application.ports.executor import (
    Cancellation,
    ExecutorUnavailable,
    OutputSink,
    ProcessNotStarted,
)
from img.application.ports.terminal import Terminal
from img.domain.process import DirectoryRoot, ExitStatus, OverlayRoot, Root

if TYPE_CHECKING:
    from img.adapters.executor.terminal_relay import TerminalRelay

_CHUNK = 1 << 16  # bytes; the capacity of a pipe
_MOST_MOUNT_POINTS = 1 << 14  # of one step; the longest path has 2048 directories
_WRITTEN_BY_ALL = 0o622
_CANCELLATION_CHECKS = 20  # milliseconds between two checks


class StepRun:
    """The caller's side of a running step."""

    def __init__(
        self,
        server: ForkServer,
        launch: Launch,
        output: OutputSink,
        terminal: Terminal | None = None,
    ) -> None:
        self._root = launch.root
        self._terminal = terminal
        self._relay: TerminalRelay | None = None
        self._output = output
        self._poll = select.poll()
        self._streams: dict[int, int] = {}  # pipe -> 1 or 2
        self._mount_points: list[MountPoint] = []
        self._failure: NotStarted | Refused | Crashed | None = None
        self._starting: Starting | None = None
        self._ended: Ended | None = None
        self._gone = False
        self._killed = False
        self._channel = self._start(server, launch)

    def wait(self, cancelled: Cancellation) -> ExitStatus:
        """Pass output on until the step has ended. Raises ProcessNotStarted, ..."""
        while not self._is_over():
            if not self._killed and cancelled.is_set():
                self._kill()
            self._attend(_CANCELLATION_CHECKS)
        self._drain()
        return self._status()

    def end(self) -> None:
        """Kill remaining processes, close everything, and remove created mount points."""
        if self._relay is not None:
            self._relay.end()
            self._relay = None
        if not self._is_over():
            self._kill()
            self._streams_to(lambda _: None)
            while not self._is_over():
                self._attend(None)
        for pipe in list(self._streams):
            self._close(pipe)
        self._channel.close()
        remove_mount_points(_writable_directory(self._root), self._mount_points)

    def _start(self, server: ForkServer, launch: Launch) -> socket.socket:
        inputs = []
        try:
            for stream in (1, 2):
                pipe, end = os.pipe()
                os.set_blocking(pipe, False)
                self._streams[pipe] = stream
                self._poll.register(pipe, select.POLLIN)
                inputs.append(end)
                # /dev/stdout and /dev/stderr, which a USER other than root may open as well.
                os.fchmod(end, _WRITTEN_BY_ALL)
            terminals = () if self._terminal is None else (self._terminal.fileno(),)
            channel = server.start(launch, *inputs, *terminals)
        except OSError as error:
            for pipe in list(self._streams):
                self._close(pipe)
            raise ExecutorUnavailable(
                f"the process that starts steps is gone: {error.strerror}"
            ) from error
        finally:
            for end in inputs:
                os.close(end)
        self._poll.register(channel, select.POLLIN)
        return channel

    def _is_over(self) -> bool:
        return self._ended is not None or self._gone

    def _attend(self, timeout: int | None) -> None:
        for descriptor, events in self._poll.poll(timeout):
            if descriptor in self._streams:
                self._pass_on(descriptor)
            elif descriptor != self._channel.fileno():
                if self._relay is not None and not self._relay.attend(descriptor, events):
                    self._kill()
            elif self._terminal is None:
                self._take(receive(self._channel))
            else:
                self._take_on(self._terminal)

    def _take_on(self, terminal: Terminal) -> None:
        """Take a report, which may be that of the step's pseudo-terminal."""
        received: list[int] = []
        report = receive(self._channel, received)
        for master in received:
            if isinstance(report, TerminalMade) and self._relay is None and not self._is_over():
                from img.adapters.executor.terminal_relay import TerminalRelay

                self._relay = TerminalRelay(terminal, master, self._poll)
                self._relay.start()
            else:
                os.close(master)
        if not isinstance(report, TerminalMade):
            self._take(report)

    def _take(self, report: Report | None) -> None:
        match report:
            case None:
                self._gone = True
            case MountPoint() if len(self._mount_points) < _MOST_MOUNT_POINTS:
                self._mount_points.append(report)
            case MountPoint():
                if self._failure is None:
                    self._failure = NotStarted("too many directories are missing for its mounts")
                    self._ask_to_kill()
            case TerminalMade():
                return  # not asked for
            case Starting():
                self._starting = report
            case NotExecuted(error):
                path = self._starting.path if self._starting else ""
                self._failure = NotStarted(f"exec {path}: {os.strerror(error).lower()}")
            case Ended():
                self._ended = report
            case _:
                # Only the first one: after the end of a step its supervisor may report that it is
                # gone.
                self._failure = self._failure or report

    def _pass_on(self, pipe: int) -> bool:
        """Pass available output to the sink; return whether more may come."""
        try:
            data = os.read(pipe, _CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self._close(pipe)
            return False
        self._output(self._streams[pipe], data)
        return True

    def _drain(self) -> None:
        for pipe in list(self._streams):
            while self._pass_on(pipe):
                pass
        if self._relay is not None:
            self._relay.drain()

    def _streams_to(self, sink: Callable[[bytes], None]) -> None:
        self._output = lambda _, data: sink(data)

    def _close(self, pipe: int) -> None:
        del self._streams[pipe]
        self._poll.unregister(pipe)
        os.close(pipe)

    def _kill(self) -> None:
        self._killed = True
        self._ask_to_kill()

    def _ask_to_kill(self) -> None:
        try:
            self._channel.send(b"kill")
        except OSError:  # it has just ended
            return

    def _status(self) -> ExitStatus:
        if self._killed and self._failure is not None:
            # Killed before it had started: reports of its processes about one another do not
            # matter.
            return ExitStatus(128 + signal.SIGKILL)
        match self._failure:
            case NotStarted(message):
                raise not_started(message, self._root)
            case Refused(message, hint):
                raise ExecutorUnavailable(
                    f"this system does not let a step run: {message}", hint=hint
                )
            case Crashed(message):
                raise RuntimeError(f"the first process of a step failed\n{message}")
        if self._ended is None:
            raise ExecutorUnavailable("the process that starts steps is gone")
        if self._starting is None and not self._killed:
            raise ExecutorUnavailable(
                "the process that prepares a step ended before the step's program was started, "
                f"with exit code {self._ended.code}"
            )
        return ExitStatus(self._ended.code)


def not_started(message: str, root: Root) -> ProcessNotStarted:
    """Return the error for a program in ``root`` that does not start.

    The kernel's error is the same for a mode without execute bits and for a file system that is
    mounted noexec, which does not affect an overlay on it.
    """
    if not isinstance(root, DirectoryRoot) or not message.lower().endswith("permission denied"):
        return ProcessNotStarted(message)
    if not os.statvfs(root.path).f_flag & os.ST_NOEXEC:
        return ProcessNotStarted(message)
    return ProcessNotStarted(
        f"{message}: {root.path} is on a file system that is mounted noexec",
        hint="choose a state directory elsewhere with --state",
    )


def _writable_directory(root: Root) -> str:
    match root:
        case DirectoryRoot():
            return root.path
        case OverlayRoot():
            return root.upper
