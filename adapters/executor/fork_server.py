"""A small process that starts the processes of steps.

Forking the command line itself would take 10 ms for every 100 MB of it, and is unsafe where
threads are; so this one is forked early, stays small, and has one thread.
"""

import fcntl
import gc
import os
import pickle
import select
import signal
import socket
from dataclasses import dataclass
from typing import NoReturn

from img.adapters.executor import first_process, reports
from img.adapters.executor.reports import Ended, Launch, Refused
from img.adapters.linux import syscalls
from img.domain.process import Network

_NAMESPACES = (
    syscalls.CLONE_NEWNS | syscalls.CLONE_NEWPID | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWUTS
)
_OWN_NETWORK = b"n"
_HOST_NETWORK = b"h"
_SIGNALS_OF_TERMINALS = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM)


class ForkServer:
    """The command line's hold on it. To be made before any thread is; ``start`` is for all."""

    def __init__(self) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            _be_the_server(theirs, parent)
        theirs.close()

    def start(self, launch: Launch, stdout: int, stderr: int) -> socket.socket:
        """Start a step and return its channel: reports come, the last is ``Ended``.

        To send anything, or to close it, kills the step. Raises OSError when the server is gone.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        order = os.memfd_create("img-step")
        try:
            os.write(order, pickle.dumps(launch))
            os.lseek(order, 0, os.SEEK_SET)
            network = launch.process.network
            kind = _OWN_NETWORK if network is Network.NONE else _HOST_NETWORK
            socket.send_fds(self._requests, [kind], [order, theirs.fileno(), stdout, stderr])
        except BaseException:
            ours.close()
            raise
        finally:
            os.close(order)
            theirs.close()
        return ours

    def close(self) -> None:
        """Kill all steps and end the server. Idempotent."""
        if self._pid:
            self._requests.shutdown(socket.SHUT_RDWR)  # whoever else was forked with it open
            self._requests.close()
            os.waitpid(self._pid, 0)
            self._pid = 0


@dataclass(frozen=True, slots=True)
class _Step:
    pid: int
    pidfd: int
    channel: socket.socket


def _be_the_server(requests: socket.socket, parent: int) -> NoReturn:
    try:
        os.setsid()  # what is sent to the terminal's processes is not for this one
        for number in _SIGNALS_OF_TERMINALS:
            signal.signal(number, signal.SIG_IGN)
        _Server(_alone(requests), os.pidfd_open(parent)).serve()
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(1)


def _alone(requests: socket.socket) -> socket.socket:
    """Return ``requests`` as the only open descriptor beside /dev/null and stderr."""
    gc.disable()  # nothing of the command line's may be finalized here
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
    """Ends, and kills all steps, when ``parent`` does or closes ``requests``.

    PR_SET_PDEATHSIG would do neither: it fires when the thread that forked ends, and a step that
    executes a set-user-ID program is no longer subject to it.
    """

    def __init__(self, requests: socket.socket, parent: int) -> None:
        self._requests = requests
        self._parent = parent
        self._steps: dict[int, _Step] = {}  # by both of its descriptors
        self._poll = select.poll()
        self._poll.register(requests, select.POLLIN)
        self._poll.register(parent, select.POLLIN)

    def serve(self) -> None:
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor == self._parent or (
                    descriptor == self._requests.fileno() and not self._accept()
                ):
                    self._kill_all()
                    return
                if descriptor in self._steps:
                    self._attend(self._steps[descriptor], descriptor)

    def _accept(self) -> bool:
        kind, descriptors, _, _ = socket.recv_fds(self._requests, 1, 4)
        if not kind:
            return False
        order, channel, stdout, stderr = descriptors
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        self._start(kind, order, socket.socket(fileno=channel), stdout, stderr)
        for descriptor in (order, stdout, stderr):
            os.close(descriptor)
        return True

    def _start(
        self, kind: bytes, order: int, channel: socket.socket, stdout: int, stderr: int
    ) -> None:
        network = syscalls.CLONE_NEWNET if kind == _OWN_NETWORK else 0
        try:
            pid, pidfd = syscalls.fork_into(_NAMESPACES | network)
        except OSError as error:
            reports.send(channel, Refused(f"new namespaces: {error.strerror}"))
            channel.close()
            return
        if pid == 0:
            first_process.become(order, channel, stdout, stderr)
        step = _Step(pid, pidfd, channel)
        for descriptor in (pidfd, channel.fileno()):
            self._steps[descriptor] = step
            self._poll.register(descriptor, select.POLLIN)

    def _attend(self, step: _Step, descriptor: int) -> None:
        if descriptor != step.pidfd:  # whatever is said on the channel, it means the same
            step.channel.recv(16)
            signal.pidfd_send_signal(step.pidfd, signal.SIGKILL)
            self._poll.unregister(descriptor)
            del self._steps[descriptor]
            return
        code = os.waitstatus_to_exitcode(os.waitpid(step.pid, 0)[1])
        reports.send(step.channel, Ended(code if code >= 0 else 128 - code))
        for watched in (step.pidfd, step.channel.fileno()):
            if self._steps.pop(watched, None):
                self._poll.unregister(watched)
        os.close(step.pidfd)
        step.channel.close()

    def _kill_all(self) -> None:
        for step in {step.pid: step for step in self._steps.values()}.values():
            signal.pidfd_send_signal(step.pidfd, signal.SIGKILL)
            os.waitpid(step.pid, 0)
