"""Access to callers with their own rights: this process takes on the ids of the caller.

Without CAP_SYS_PTRACE, which Docker does not grant, a process may only read the memory of processes
of the same user (ptrace(2), "access mode checking").
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from img.adapters.linux import process_memory, small_files, syscalls
from img.adapters.syscall_supervisor.listener import Notification
from img.domain.dataclass import dataclass

_KILL = 9


@dataclass(frozen=True, slots=True)
class User:
    """The ids that decide on the access rights of a process."""

    uid: int
    gid: int
    groups: tuple[int, ...]


_ROOT = User(0, 0, ())


class Callers:
    """The memory of callers. This process has to be root; its effective ids change."""

    def __init__(self) -> None:
        self._now = _ROOT

    def text(self, call: Notification, address: int) -> bytes:
        """Return a path in the caller's memory. Raises LookupError if it cannot be read."""
        try:
            return process_memory.read_text(call.pid, address)
        except OSError:
            self.switch_to(user_of(call.pid))
        try:
            return process_memory.read_text(call.pid, address)
        # also of a process that was root before, and has not executed a program since
        except OSError as error:
            raise LookupError from error

    def read(self, call: Notification, address: int, size: int) -> bytes:
        """Return bytes of the caller's memory; call ``text`` first. Raises OSError."""
        return process_memory.read(call.pid, address, size)

    def write(self, call: Notification, address: int, content: bytes) -> None:
        """Write to the caller's memory; call ``text`` first. Raises OSError."""
        process_memory.write(call.pid, address, content)

    @contextmanager
    def as_root(self) -> Iterator[None]:
        """Switch to root while the context lasts."""
        before = self._now
        self.switch_to(_ROOT)
        try:
            yield
        finally:
            self.switch_to(before)

    def switch_to(self, user: User) -> None:
        """Switch to ``user``; the saved id of root allows to switch back. Raises LookupError."""
        if user == self._now:
            return
        try:
            os.setresuid(0, 0, 0)
            os.setgroups(user.groups)
            os.setresgid(user.gid, user.gid, 0)
            os.setresuid(user.uid, user.uid, 0)
        except PermissionError as error:
            raise LookupError from error
        self._now = user
        # The kernel resets it when ids change.
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, _KILL)


def user_of(pid: int) -> User:
    """Return the ids of a process. Raises LookupError if the process is gone."""
    status = status_of(pid)
    uid, gid = (int(status[name].split()[3]) for name in (b"Uid", b"Gid"))
    return User(uid, gid, tuple(map(int, status[b"Groups"].split())))


def status_of(pid: int) -> dict[bytes, bytes]:
    """Return the fields of a process' status file; /proc is the working directory.

    Raises LookupError if the process is gone.
    """
    try:
        lines = small_files.read_start(b"%d/status" % pid).splitlines()
    except OSError as error:
        raise LookupError from error
    return dict(line.split(b":\t", 1) for line in lines if b":\t" in line)
