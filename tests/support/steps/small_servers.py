"""Fork servers that are forked from a small process instead of from one that has all the tests.

A process with ten thousand tests takes 8 ms to fork, and so would each fork of a step. The small
process is forked before the tests are collected. Its forks are children of the process that asks,
as those of ForkServer are, but have none of what a test patched.
"""

import gc
import json
import os
import signal
import socket
from collections.abc import Iterable
from typing import Any, NoReturn

# Also those that fork servers import when the first step needs them.
from img.adapters.executor import (
    chroot_watcher,
    emulated_identity,
    fork_server,
    private_network,
    proc_supervision,
    proot_watcher,
    runtime_starter,
    signals,
    supervision,
)
from img.adapters.executor.fork_server import ForkServer
from img.adapters.linux import capabilities, syscalls

_CLONE_PARENT = 0x8000  # linux/sched.h
_MOST = 1 << 17  # bytes of an order, which has an environment
_IMPORTED = (
    chroot_watcher,
    emulated_identity,
    private_network,
    proot_watcher,
    runtime_starter,
    supervision,
)
_NAMESPACES = ("mnt", "user", "pid", "net", "ipc", "uts", "cgroup")
_lines: list[socket.socket] = []  # to the small process
_worlds: list[tuple[object, ...]] = []  # of the small process


def begin() -> None:
    """Fork the small process; it ends with this one."""
    if "clone" not in syscalls.NUMBERS.get(os.uname().machine, {}):
        return
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        ours.close()
        _serve(theirs)
    theirs.close()
    _lines[:], _worlds[:] = [ours], [_world()]


class SmallForkServer(ForkServer):
    """A fork server that was forked from the small process, if that is still where this one is."""

    def _fork(self, theirs: socket.socket, mask: Iterable[int], *, emulating: bool) -> int:
        if not _lines or _worlds != [_world()]:  # a test has entered a namespace
            return super()._fork(theirs, mask, emulating=emulating)
        order = {
            "parent": os.getpid(),
            "mask": [int(number) for number in mask],
            "emulating": emulating,
            "cwd": os.getcwd(),
            "environment": dict(os.environ),
        }
        socket.send_fds(_lines[0], [json.dumps(order).encode()], [theirs.fileno(), 2])
        return int(_lines[0].recv(32))


def _world() -> tuple[object, ...]:
    """Return the properties that a fork inherits and that no order has."""
    namespaces = [os.readlink(f"/proc/self/ns/{name}") for name in _NAMESPACES]
    return (*namespaces, os.getresuid(), os.getresgid(), capabilities.effective())


def _serve(line: socket.socket) -> NoReturn:
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, signals.TERMINAL_SIGNALS)
        os.setsid()
        fork_server.rehearse_steps(emulating=True)
        proc_supervision.prepare()
        gc.collect()
        gc.freeze()
        while True:
            message, descriptors, _, _ = socket.recv_fds(line, _MOST, 2)
            if not message:
                os._exit(0)
            pid = _fork_beside()
            if pid == 0:
                line.close()
                _run(descriptors, **json.loads(message))
            for descriptor in descriptors:
                os.close(descriptor)
            line.send(str(pid).encode())
    finally:
        os._exit(1)


def _fork_beside() -> int:
    """Fork; the child is one of the parent of this process."""
    number = syscalls.NUMBERS[os.uname().machine]["clone"]
    return int(syscalls.libc_with_gil.syscall(number, _CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0))


def _run(
    descriptors: list[int],
    *,
    parent: int,
    mask: list[int],
    emulating: bool,
    cwd: str,
    environment: dict[str, Any],
) -> NoReturn:
    requests, errors = descriptors
    os.dup2(errors, 2)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    fork_server.run_server(socket.socket(fileno=requests), parent, mask, emulating=emulating)
