"""A small process that starts the processes of steps.

Forking the command line process itself would take 10 ms for every 100 MB of memory, and is unsafe
with threads; so the server is forked early, stays small, and has one thread.
"""

import errno
import fcntl
import gc
import os
import select
import signal
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from img.adapters.executor import descendants, reports, signals
from img.adapters.executor.launch import (
    Launch,
    LaunchMode,
    Request,
    read_launch,
    read_request,
    receive,
    rehearse,
    write_launch,
)
from img.adapters.executor.reports import Ended, NotStarted, Refused
from img.adapters.executor.started_step import Helper, RuntimeLog, StartedStep
from img.adapters.linux import records, syscalls
from img.domain.dataclass import compile_initializer
from img.domain.process import Network

if TYPE_CHECKING:
    from img.adapters.executor.terminal_guard import TerminalGuard

_ATTEMPTS, _PAUSE_S = 300, 0.01  # to remove a control group: a busy machine takes its time


class ForkServer:
    """The client side of the fork server, to create before any thread; threads share ``start``."""

    def __init__(self, *, emulating: bool = False) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # Blocked until the server ignores them: it must not raise KeyboardInterrupt as this process
        # does.
        former = signal.pthread_sigmask(signal.SIG_BLOCK, signals.TERMINAL_SIGNALS)
        try:
            self._pid = self._fork(theirs, former, emulating=emulating)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, former)
        theirs.close()

    def _fork(self, theirs: socket.socket, mask: Iterable[int], *, emulating: bool) -> int:
        """Return the pid of a new child that is the server."""
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            run_server(theirs, parent, mask, emulating=emulating)
        return pid

    def start(
        self, launch: Launch, stdout: int, stderr: int, terminal: int | None = None
    ) -> socket.socket:
        """Start a step and return its channel, which receives reports; the last is ``Ended``.

        Sending any byte, or closing the channel, kills the step. If this process is killed, the
        server restores the modes that the user's ``terminal`` has now. Raises OSError if the server
        is gone.
        """
        terminals = () if terminal is None else (terminal,)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        order = write_launch(launch)
        try:
            request = records.encode(Request.of(launch))
            descriptors = [order, theirs.fileno(), stdout, stderr, *terminals]
            socket.send_fds(self._requests, [request], descriptors)
        except BaseException:
            ours.close()
            raise
        finally:
            os.close(order)
            theirs.close()
        return ours

    def expect(self, launch: Launch) -> None:
        """Let a process stand by for a first step, which is likely to be like ``launch``.

        The server forks it while the root of the step is prepared.
        """
        with suppress(OSError):  # the server is gone: the start of the step reports it
            self._requests.send(records.encode(Request.of(launch)))

    def close(self) -> None:
        """Kill all steps and end the server. Idempotent."""
        if self._pid:
            self._requests.shutdown(socket.SHUT_RDWR)  # also if another forked process has it open
            self._requests.close()
            os.waitpid(self._pid, 0)
            self._pid = 0


def _line_to_supervisor() -> tuple[socket.socket, socket.socket]:
    # Before any fork: the imports are shared with the next step.
    from img.adapters.executor import emulated_identity  # noqa: F401

    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def _start_supervisor(
    step: int, order: int, asked: socket.socket, channel: socket.socket, stderr: int
) -> Helper:
    from img.adapters.executor import supervision

    pid = os.fork()
    if pid == 0:
        supervision.run_supervisor(step, order, asked, channel, stderr)
    return Helper(pid, os.pidfd_open(pid))


def _start_network(program: str, step: int, ready: socket.socket) -> Helper:
    from img.adapters.executor import private_network

    pid, messages = private_network.start(program, step, ready.fileno())
    return Helper(pid, os.pidfd_open(pid), messages)


def run_server(
    requests: socket.socket, parent: int, mask: Iterable[int], *, emulating: bool
) -> NoReturn:
    """Serve ``requests`` of the process ``parent`` in this process, with the signal mask ``mask``.

    ``emulating``: its steps may get an emulated root.
    """
    try:
        os.umask(0o022)  # the usual umask, for steps
        os.setsid()  # signals of the terminal must not reach this process
        signals.ignore_signals()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
        # The watchers of steps wait for these two signals, and inherit the blocked state.
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGCHLD))
        own_requests = _alone(requests)
        try:
            of_parent = os.pidfd_open(parent)
        except ProcessLookupError:  # it had ended already
            os._exit(0)
        rehearse_steps(emulating=emulating)
        _Server(own_requests, of_parent).serve()
    except BaseException as error:
        text = f"img: the process that starts steps failed\n{reports.description_of(error)}\n"
        os.write(2, text.encode("utf-8", "replace"))
    finally:
        os._exit(1)


def rehearse_steps(*, emulating: bool) -> None:
    """Do once what each fork would repeat: imports, classes, compiled filters.

    The command line process is busy with its own imports meanwhile.
    """
    from img.adapters.executor import privileges
    from img.adapters.linux import launcher
    from img.domain.filesystem.ownership import UserIdentity, lookup_user

    if emulating:
        from img.adapters.executor import emulated_identity

        emulated_identity.prepare()
    rehearse()
    records.reader_of(Request)
    reports.prepare()
    compile_initializer(UserIdentity)
    lookup_user("", "", "")
    privileges.prepare_filters()
    with suppress(OSError):  # reported when a step is started
        launcher.prepare()


def _alone(requests: socket.socket) -> socket.socket:
    """Return ``requests`` as the only open descriptor besides /dev/null and stderr."""
    gc.disable()  # objects of the command line process must not be finalized here
    kept = fcntl.fcntl(requests.detach(), fcntl.F_DUPFD_CLOEXEC, 3)
    nothing = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1) if _is_open(2) else (0, 1, 2):
        os.dup2(nothing, number)
        os.set_inheritable(number, True)  # dup2 does it unless both are the same
    syscalls.close_descriptors(but=kept)
    return socket.socket(fileno=kept)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


class _Server:
    """The server; it kills all steps and ends when ``parent`` ends or closes ``requests``.

    PR_SET_PDEATHSIG is no replacement: it fires when the forking thread ends, and does not apply to
    a step that executes a set-user-ID program.
    """

    def __init__(self, requests: socket.socket, parent: int) -> None:
        from img.adapters.executor.standby import StandbyPool

        self._requests = requests
        self._parent = parent
        self._steps: dict[int, StartedStep] = {}  # by both of its descriptors
        self._groups: list[str] = []  # of all steps: a killed parent removes none
        self._standbys = StandbyPool()
        self._terminal: TerminalGuard | None = None
        self._prepared: Request | None = None  # the last that filters were compiled for
        self._poll = select.poll()
        self._poll.register(requests, select.POLLIN)
        self._poll.register(parent, select.POLLIN)

    def serve(self) -> None:
        try:
            while self._serve_once():
                pass
        finally:
            if self._terminal is not None:
                self._terminal.restore()
            self._kill_all()

    def _serve_once(self) -> bool:
        for descriptor, _ in self._poll.poll():
            if descriptor == self._parent or (
                descriptor == self._requests.fileno() and not self._accept()
            ):
                return False
            if descriptor in self._steps:
                self._attend(self._steps[descriptor], descriptor)
        return True

    def _accept(self) -> bool:
        try:
            message, descriptors = receive(self._requests)
        except ConnectionResetError:
            return False
        if not message:
            return False
        if not descriptors:
            self._standbys.expect(read_request(message).key)
            return True
        order, channel, stdout, stderr, *terminals = descriptors
        if terminals:
            from img.adapters.executor.terminal_guard import TerminalGuard

            # Kept after its step: that may end before the end of a killed parent is seen.
            if self._terminal is not None:
                self._terminal.close()
            self._terminal = TerminalGuard(terminals[0])
        self._start(read_request(message), order, socket.socket(fileno=channel), stdout, stderr)
        for descriptor in (order, stdout, stderr):
            os.close(descriptor)
        return True

    def _start(
        self, request: Request, order: int, channel: socket.socket, stdout: int, stderr: int
    ) -> None:
        self._groups += request.control_groups
        key = request.key
        try:
            standby = self._standbys.take(key)
        except OSError as error:
            reports.send(channel, Refused(f"new namespaces: {error.strerror}"))
            channel.close()
            return
        asked, asking = _line_to_supervisor() if key.supervised else (None, None)
        awaited, ready = socket.socketpair() if key.network is Network.PRIVATE else (None, None)
        log = RuntimeLog.new() if key.mode is LaunchMode.RUNTIME else None
        others = {"supervisor": asking, "network": awaited, "log": log}
        standby.run_step(
            (order, channel.fileno(), stdout, stderr),
            {name: other.fileno() for name, other in others.items() if other is not None},
        )
        # otherwise the waiting processes would not see the step end
        for theirs in (asking, awaited):
            if theirs is not None:
                theirs.close()
        helpers = []
        if asked is not None:
            helpers.append(_start_supervisor(standby.pid, order, asked, channel, stderr))
            asked.close()
        if ready is not None:
            helpers.append(_start_network(request.network_program, standby.pid, ready))
            ready.close()
        step = StartedStep(
            standby.pid,
            standby.pidfd,
            channel,
            key.mode,
            request.cwd,
            tuple(helpers),
            log,
        )
        for descriptor in step.watched:
            self._steps[descriptor] = step
            self._poll.register(descriptor, select.POLLIN)
        if request is not self._prepared:  # equal requests are one object
            self._prepared = request
            _prepare_like(order, key.mode)
        self._standbys.add(request)

    def _attend(self, step: StartedStep, descriptor: int) -> None:
        if descriptor != step.pidfd:
            if descriptor == step.channel.fileno():  # any message means the same
                with suppress(ConnectionResetError):  # nor does it matter whether it was read
                    step.channel.recv(16)
            step.report_end_of_helper(descriptor)
            step.kill()  # without its supervisor a step would get wrong answers
            self._poll.unregister(descriptor)
            del self._steps[descriptor]
            return
        code = os.waitstatus_to_exitcode(os.waitpid(step.pid, 0)[1])
        if code < 0 and step.is_watched:  # most likely by the step
            self._kill_strays()
        step.end_helpers()
        if step.log is not None and (failure := step.log.failure(step.cwd)):
            reports.send(step.channel, NotStarted(failure))
        reports.send(step.channel, Ended(code if code >= 0 else 128 - code))
        for watched in step.watched:
            if self._steps.pop(watched, None):
                self._poll.unregister(watched)
        step.close()

    def _kill_all(self) -> None:
        self._standbys.dismiss()
        for step in self._by_pid().values():
            step.kill()
            os.waitpid(step.pid, 0)
            step.end_helpers()
        self._steps.clear()
        self._kill_strays()
        for group in self._groups:
            _remove_group(group)

    def _kill_strays(self) -> None:
        descendants.kill_all(but=(*self._by_pid(), *self._standbys.pids))

    def _by_pid(self) -> dict[int, StartedStep]:
        return {step.pid: step for step in self._steps.values()}


def _prepare_like(order: int, mode: LaunchMode) -> None:
    """Compile the filters of steps that are similar to the launch in the file ``order``."""
    if mode is LaunchMode.RUNTIME:
        from img.adapters.executor import runtime_starter

        runtime_starter.prepare(read_launch(order))
    elif mode is LaunchMode.PROOT:
        from img.adapters.executor import proot_watcher

        proot_watcher.prepare(read_launch(order))


def _remove_group(group: str) -> None:
    for _ in range(_ATTEMPTS):
        try:
            os.rmdir(group)
        except OSError as error:
            if error.errno != errno.EBUSY:
                return
            time.sleep(_PAUSE_S)  # the last of its processes has not quite ended
        else:
            return
