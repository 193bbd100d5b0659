"""Tests of the listener of a supervisor: calls that are answered, and steps that have ended."""

import errno
import os
import socket

import pytest

from img.adapters.linux import syscalls
from img.adapters.syscall_supervisor import bpf
from img.adapters.syscall_supervisor.listener import Listener, NoProcessLeft

_RELEASE = tuple(map(int, os.uname().release.split("-")[0].split(".")[:2]))

pytestmark = pytest.mark.skipif(
    bpf.obstacle_to_listening() is not None, reason="no filter can ask here"
)


def _process_that(call: str) -> tuple[int, int]:
    """Return the pid of a process that makes ``call`` and ends with its errno; and its listener."""
    machine = bpf.this_machine()
    assert machine is not None
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
        program = bpf.program(machine, [bpf.Rule("chroot", bpf.NOTIFY)])
        socket.send_fds(theirs, [b"l"], [bpf.load_and_listen(program)])
        try:
            if call:
                os.chroot("/nowhere")
        except OSError as error:
            os._exit(error.errno or 0)
        os._exit(0)
    _, (listener,), _, _ = socket.recv_fds(ours, 1, 1)
    for line in (ours, theirs):
        line.close()
    return pid, listener


def test_a_call_is_refused_with_the_error_that_was_given() -> None:
    pid, descriptor = _process_that("chroot")
    listener = Listener(descriptor)

    call = listener.receive()
    assert call is not None
    listener.refuse(call, errno.EDOM)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == errno.EDOM
    os.close(descriptor)


@pytest.mark.skipif(_RELEASE < (6, 11), reason="before Linux 6.11 nobody is told")
def test_when_no_process_is_left_nobody_is_waited_for() -> None:
    pid, descriptor = _process_that("")
    os.waitpid(pid, 0)

    with pytest.raises(NoProcessLeft):
        Listener(descriptor).receive()

    os.close(descriptor)
