"""The process between a step without a /proc and its watcher: it answers calls for /proc.

It is an ancestor of the step: where Yama restricts tracing, only ancestors may read its memory.
"""

import errno
import os
import signal
import socket
from collections.abc import Callable, Mapping
from typing import NoReturn

from img.adapters.executor import privileges, reports
from img.adapters.executor.closed_interpreter import close_interpreter
from img.adapters.executor.first_process import die_with_parent
from img.adapters.executor.system_mounts import MASKED
from img.adapters.executor.watching import exit_code_of_reaped
from img.adapters.linux import capabilities, landlock, syscalls
from img.adapters.syscall_supervisor import bpf
from img.adapters.syscall_supervisor.proc.filters import filter_program
from img.adapters.syscall_supervisor.proc.mount_tables import mount_tables
from img.adapters.syscall_supervisor.proc.supervisor import ProcSupervisor
from img.domain.process import Process

_MASKED = frozenset(os.fsencode(path[6:]) for path in MASKED if path.startswith("/proc/"))
_SYS_CHROOT = capabilities.mask_of("sys_chroot")  # no step in a changed root has it
_UNAVAILABLE = (errno.ENOSYS, errno.EINVAL, errno.EBUSY, errno.EACCES, errno.EPERM)


def prepare() -> None:
    """Compile the filter of most steps, for processes that are forked later."""
    machine = bpf.this_machine()
    if machine is not None:
        filter_program(machine, capabilities.DOCKER_DEFAULT & ~_SYS_CHROOT, insecure=False)
    landlock.plan(files=True)


def run_supervised(
    step: Callable[[socket.socket], NoReturn],
    root: str,
    channel: socket.socket,
    kept: int,
    devices: Mapping[bytes, int],
) -> NoReturn:
    """Fork a child that runs ``step``, answer its calls, and exit with its exit code.

    ``kept`` are the capabilities of this process: more than the step's, so that the step may not
    trace it. ``devices`` are opened for the step, by their names in /dev.
    """
    code = 1
    try:
        with reports.failures(channel):
            die_with_parent()
            syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
            asked, asking = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            pid = syscalls.fork()
            if pid == 0:
                step(asking)
            asking.close()
            code = _answer(pid, asked, root, channel, kept, devices)
    finally:
        os._exit(code)


def confine(supervisor: socket.socket, process: Process, allowed: int, *, privileged: bool) -> None:
    """Load the filter into this process, a step, and send its listener to ``supervisor``.

    Without notifications there is no /proc, and the filter only refuses calls.
    """
    if not privileged:  # then any filter has this price: programs such as sudo do not work
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    privileges.separate(process, [(root, landlock.ALL)])
    os.close(root)
    machine = bpf.this_machine()
    if machine is None:
        return
    try:
        program = filter_program(machine, allowed, insecure=process.insecure)
        listener = bpf.load_and_listen(program)
    except OSError as error:
        if error.errno not in _UNAVAILABLE:
            raise
        privileges.confine(process, allowed)
        return
    socket.send_fds(supervisor, [b"l"], [listener])
    os.close(listener)
    supervisor.close()


def _answer(
    step: int,
    asked: socket.socket,
    root: str,
    channel: socket.socket,
    kept: int,
    devices: Mapping[bytes, int],
) -> int:
    codes: list[int] = []

    def is_over() -> bool:
        code = exit_code_of_reaped(step)
        if code is not None:
            codes.append(code)
        return bool(codes)

    # While the step prepares itself: it waits for the answer to its first call.
    waking, woken = _pipe_of_ended_children()
    proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    tables = mount_tables(root, proc)
    used = (asked.fileno(), waking, woken, *devices.values())
    _enter(root, proc, used, channel, kept)
    _, descriptors, _, _ = socket.recv_fds(asked, 1, 1)
    asked.close()
    if descriptors:
        (listener,) = descriptors
        supervisor = ProcSupervisor(listener, masked=_MASKED, tables=tables, devices=devices)
        supervisor.serve(waking, is_over)
    while not codes:
        os.read(waking, 4096)
        is_over()
    return codes[0]


def _enter(root: str, proc: int, used: tuple[int, ...], channel: socket.socket, kept: int) -> None:
    close_interpreter(channel)
    os.fchdir(proc)
    os.chroot(root)
    os.umask(0)
    syscalls.close_descriptors(but=(*used, channel.fileno()))
    capabilities.keep_only(kept)


def _pipe_of_ended_children() -> tuple[int, int]:
    """Return the ends of a pipe that becomes readable when a child ends."""
    waking, woken = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGCHLD,))
    return waking, woken
