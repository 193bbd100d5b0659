"""Who asks: what it may see, this process may, for it becomes the same user.

Nobody is given the right to look into others here (CAP_SYS_PTRACE is none of Docker's), so only the
same user's memory can be read (ptrace(2), "access mode checking").
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
    """Ids that decide what a process may."""

    uid: int
    gid: int
    groups: tuple[int, ...]


_ROOT = User(0, 0, ())


class Callers:
    """The callers' memory. This process has to be root, and changes its effective ids at need."""

    def __init__(self) -> None:
        self._now = _ROOT

    def text(self, call: Notification, address: int) -> bytes:
        """Return a path that the caller points to. Raises LookupError where it cannot be read."""
        try:
            return process_memory.read_text(call.pid, address)
        except OSError:
            self.be(user_of(call.pid))
        try:
            return process_memory.read_text(call.pid, address)
        except OSError as error:  # of a process that was root before, and executed nothing since
            raise LookupError from error

    def read(self, call: Notification, address: int, size: int) -> bytes:
        """Return bytes of the caller's memory; after ``text``. Raises OSError."""
        return process_memory.read(call.pid, address, size)

    def write(self, call: Notification, address: int, content: bytes) -> None:
        """Write to the caller's memory; after ``text``. Raises OSError."""
        process_memory.write(call.pid, address, content)

    @contextmanager
    def as_root(self) -> Iterator[None]:
        """Be root for a moment."""
        before = self._now
        self.be(_ROOT)
        try:
            yield
        finally:
            self.be(before)

    def be(self, user: User) -> None:
        """Become ``user``, whom the saved id of root brings back. Raises LookupError."""
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
        # The kernel forgets it when ids change.
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, _KILL)


def user_of(pid: int) -> User:
    """Return who a process is. Raises LookupError where it is gone."""
    status = status_of(pid)
    uid, gid = (int(status[name].split()[3]) for name in (b"Uid", b"Gid"))
    return User(uid, gid, tuple(map(int, status[b"Groups"].split())))


def status_of(pid: int) -> dict[bytes, bytes]:
    """Return what /proc, the working directory, tells of a process. Raises LookupError."""
    try:
        lines = small_files.read_start(b"%d/status" % pid).splitlines()
    except OSError as error:
        raise LookupError from error
    return dict(line.split(b":\t", 1) for line in lines if b":\t" in line)
