"""The supervisor process beside a step, for steps with an emulated root."""

import os
import signal
import socket
import threading
from typing import NoReturn

from img.adapters.executor import reports
from img.adapters.executor.closed_interpreter import close_interpreter
from img.adapters.executor.launch import read_launch
from img.adapters.linux import capabilities, records, syscalls
from img.adapters.storage.owner_records import Journal, Owner
from img.adapters.storage.ownership import journal_of
from img.adapters.syscall_supervisor.listener import Listener
from img.adapters.syscall_supervisor.root.credentials import Credentials, credentials_of
from img.adapters.syscall_supervisor.root.supervisor import Supervisor
from img.domain.dataclass import dataclass
from img.domain.filesystem.ownership import UserIdentity
from img.domain.process import DirectoryRoot, Root

_MOST = 1 << 16  # bytes of a message of the step
# What it needs to change files for callers, and, to read the memory of callers, either all
# capabilities that they have or the last one (ptrace(2), "access mode checking").
_NEEDED = capabilities.mask_of("chown", "dac_override", "fowner", "fsetid", "setfcap", "sys_ptrace")
_MOST_GROUPS = 4096  # a user in more groups gets the first ones
_NO_ID = (1 << 32) - 1  # credentials(7): -1 leaves an id as it is


@dataclass(frozen=True, slots=True)
class _StepIdentity:
    """The ids that a step starts with."""

    uid: int
    gid: int
    groups: tuple[int, ...]

    def __post_init__(self) -> None:
        if not all(0 <= number < _NO_ID for number in (self.uid, self.gid, *self.groups)):
            raise ValueError("no user or group id")


def hand_over(supervisor: socket.socket, listener: int, user: UserIdentity) -> None:
    """Send the listener of this process and the user of its step to the supervisor."""
    asking = _StepIdentity(user.uid, user.gid, user.groups[:_MOST_GROUPS])
    socket.send_fds(supervisor, [records.encode(asking)], [listener])
    os.close(listener)
    supervisor.close()


def run_supervisor(
    step: int, order: int, asked: socket.socket, channel: socket.socket, stderr: int
) -> NoReturn:
    """Answer calls of the step, a pid, until this process is ended; report faults to ``channel``.

    ``order`` is the file with its launch.

    The supervisor is not an ancestor of the step: the fork server starts and ends both.
    """
    code = 1
    try:
        with reports.failures(channel):
            syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
            os.dup2(stderr, 2)
            supervised = _wait(asked)
            if supervised is not None:
                listener, initial = supervised
                journal = _enter(step, read_launch(order).root, listener, channel)
                Supervisor(Listener(listener), initial, journal).serve()
            code = 0
    finally:
        os._exit(code)


def serve_in_thread(asked: socket.socket, root: Root) -> None:
    """Answer calls of a step in a thread of this process, an ancestor of the step in the same root.

    Without namespaces, only ancestors of a process may read its memory (Yama).
    """
    supervised = _wait(asked)
    if supervised is None:
        return
    assert isinstance(root, DirectoryRoot)
    listener, initial = supervised
    journal = Journal(journal_of(root.path))
    os.chdir("/proc")
    os.umask(0)
    own = Owner(os.geteuid(), os.getegid())
    top = os.fsencode(os.path.realpath(root.path))
    supervisor = Supervisor(Listener(listener), initial, journal, own=own, top=top)
    threading.Thread(target=supervisor.serve, daemon=True).start()


def _wait(asked: socket.socket) -> tuple[int, Credentials] | None:
    """Return the listener and the credentials of the step; None if the step ended before."""
    record, descriptors, _, _ = socket.recv_fds(asked, _MOST, 1)
    if not descriptors:
        return None
    who: _StepIdentity = records.decode(record, _StepIdentity)
    return descriptors[0], credentials_of(who.uid, who.gid, who.groups)


def _enter(step: int, root: Root, listener: int, channel: socket.socket) -> Journal:
    """Enter the step's root, with the outer /proc as the working directory.

    Return the journal of the root; all descriptors except for these are closed.
    """
    processes = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    namespace = os.open(f"/proc/{step}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    state = _directory_of(root)
    close_interpreter(channel)
    syscalls.setns(namespace, syscalls.CLONE_NEWNS)
    os.fchdir(processes)
    os.umask(0)
    kept = (listener, channel.fileno(), *([state] if state >= 0 else []))
    syscalls.close_descriptors(but=kept)
    capabilities.keep_only(_NEEDED)
    if not isinstance(root, DirectoryRoot):
        return Journal()
    return Journal(f"self/fd/{state}/{os.path.basename(journal_of(root.path))}")


def _directory_of(root: Root) -> int:
    """Return a descriptor of the directory with the journal of ``root``, -1 if it needs none."""
    if not isinstance(root, DirectoryRoot):
        return -1  # a file system with upper directories supports attributes
    return os.open(os.path.dirname(journal_of(root.path)), os.O_PATH | os.O_CLOEXEC)
