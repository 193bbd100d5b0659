"""Handlers for calls with a path that leads to /proc. The kernel executes all other calls."""

import ctypes
import errno
import os
import stat
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from img.adapters.linux.syscalls import AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, libc
from img.adapters.syscall_supervisor import bpf
from img.adapters.syscall_supervisor.listener import Listener, Notification
from img.adapters.syscall_supervisor.proc.callers import Callers, status_of
from img.adapters.syscall_supervisor.proc.files import ProcFiles
from img.adapters.syscall_supervisor.proc.places import Place
from img.adapters.syscall_supervisor.replies import Answer, Reply
from img.adapters.syscall_supervisor.root.status import STAT_LAYOUTS, STATX_SIZE

_OPEN_HOW = struct.Struct("QQQ")
_CREATING = os.O_CREAT | os.O_EXCL
_STATFS_SIZE = 120  # bytes, on all 64-bit architectures
_INT = 0xFFFF_FFFF
_FLAGS = 0x7FFF_FFFF  # of open(2): bit 31 is no flag, and does not fit in a C int


class PathCalls:
    """Answers for files of /proc, as the kernel would answer if /proc were mounted.

    Also for devices in /dev, where the step's own ones cannot be opened.
    """

    def __init__(self, listener: Listener, callers: Callers, files: ProcFiles) -> None:
        machine = bpf.this_machine()
        assert machine is not None
        self._numbers = machine.calls
        self._stat_size = STAT_LAYOUTS[os.uname().machine].size
        self._listener = listener
        self._callers = callers
        self._files = files

    def handlers(self) -> Mapping[str, Callable[[Notification], Answer]]:
        """Return the handler of each call."""
        here = AT_FDCWD
        creating = os.O_CREAT | os.O_WRONLY | os.O_TRUNC
        return {
            "open": lambda c: self._open(c, here, *c.arguments[:3]),
            "openat": lambda c: self._open(c, *c.arguments[:4]),
            "openat2": self._openat2,
            "creat": lambda c: self._open(c, here, c.arguments[0], creating, c.arguments[1]),
            "readlink": lambda c: self._readlink(c, here, *c.arguments[:3]),
            "readlinkat": lambda c: self._readlink(c, *c.arguments[:4]),
            "stat": lambda c: self._stat(c, here, *c.arguments[:2]),
            "lstat": self._lstat,
            "newfstatat": lambda c: self._stat(c, *c.arguments[:4]),
            "statx": self._statx,
            "statfs": self._statfs,
            "access": lambda c: self._access(c, here, *c.arguments[:2]),
            "faccessat": lambda c: self._access(c, *c.arguments[:3]),
            "faccessat2": lambda c: self._access(c, *c.arguments[:4]),
            "chdir": lambda c: self._go(c, here, c.arguments[0]),
            "execve": lambda c: self._go(c, here, c.arguments[0]),
            "execveat": lambda c: self._go(c, *c.arguments[:2]),
            "chmod": lambda c: self._chmod(c, here, *c.arguments[:2]),
            "fchmodat": lambda c: self._chmod(c, *c.arguments[:3]),
            "fchmodat2": lambda c: self._chmod(c, *c.arguments[:4]),
            "linkat": self._linkat,
            **dict.fromkeys(("getxattr", "lgetxattr", "listxattr", "llistxattr"), self._attribute),
        }

    def _place(
        self, call: Notification, directory: int, address: int, *, follow: bool = True
    ) -> Place:
        text = self._callers.text(call, address)
        return self._files.place(call, directory, text, follow=follow)

    def _openat2(self, call: Notification) -> Answer:
        directory, path, how, size = call.arguments[:4]
        self._place(call, directory, path)  # before any other memory of the caller is read
        if size < _OPEN_HOW.size:
            raise LookupError
        flags, mode, _ = _OPEN_HOW.unpack(self._callers.read(call, how, _OPEN_HOW.size))
        return self._open(call, directory, path, flags, mode)

    def _open(
        self, call: Notification, directory: int, address: int, flags: int, mode: int
    ) -> Answer:
        flags &= _INT
        place = self._place(call, directory, address, follow=not flags & os.O_NOFOLLOW)
        if place.rest:
            return self._open_behind(call, place, flags, mode)
        with self._files.reach(call, place) as found:
            kind = os.fstat(found).st_mode
            if flags & os.O_PATH:
                self._check_directory(kind, flags)
                return self._hand_over(call, os.dup(found), flags)
            if stat.S_ISDIR(kind) and not place.link:
                if flags & (os.O_ACCMODE | os.O_CREAT):
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
                return self._hand_over(call, self._files.list(call, place), flags)
            if stat.S_ISLNK(kind):
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            is_of_machine = place.process is None and not place.device
            if is_of_machine and flags & (os.O_ACCMODE | os.O_TRUNC):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            opened = _open_patiently(b"self/fd/%d" % found, flags & ~(_CREATING | os.O_NOFOLLOW))
        return self._hand_over(call, opened, flags)

    def _open_behind(self, call: Notification, place: Place, flags: int, mode: int) -> Answer:
        mode &= ~int(status_of(call.pid).get(b"Umask", b"022"), 8)
        with self._files.behind(call, place) as base:
            opened = _open_patiently(place.rest, flags, mode & 0o7777, base)
        return self._hand_over(call, opened, flags)

    def _hand_over(self, call: Notification, descriptor: int, flags: int) -> Answer:
        try:
            inheritable = not flags & os.O_CLOEXEC
            self._listener.hand_over(call, descriptor, inheritable=inheritable)
        finally:
            os.close(descriptor)
        return Reply.SENT

    def _check_directory(self, kind: int, flags: int) -> None:
        if flags & os.O_DIRECTORY and not stat.S_ISDIR(kind):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))

    def _readlink(
        self, call: Notification, directory: int, address: int, buffer: int, size: int
    ) -> Answer:
        place = self._place(call, directory, address, follow=False)
        if place.whole in (b"self", b"thread-self"):
            text = b"%d" % int(status_of(call.pid)[b"Tgid"])
            text += b"/task/%d" % call.pid if place.whole == b"thread-self" else b""
        else:
            with self._files.reach(call, place, follow=False) as found:
                if not stat.S_ISLNK(os.fstat(found).st_mode):
                    raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
                text = os.readlink(b"", dir_fd=found)
        text = text[: ctypes.c_int(size & _INT).value]
        self._callers.write(call, buffer, text)
        return len(text)

    def _stat(
        self, call: Notification, directory: int, address: int, buffer: int, flags: int = 0
    ) -> Answer:
        content = ctypes.create_string_buffer(self._stat_size)
        with self._found(call, directory, address, flags) as found:
            self._ask("newfstatat", found, b"", content, AT_EMPTY_PATH)
        self._callers.write(call, buffer, content.raw)
        return 0

    def _lstat(self, call: Notification) -> Answer:
        path, buffer = call.arguments[:2]
        return self._stat(call, AT_FDCWD, path, buffer, AT_SYMLINK_NOFOLLOW)

    def _statx(self, call: Notification) -> Answer:
        directory, address, flags, mask, buffer = call.arguments[:5]
        content = ctypes.create_string_buffer(STATX_SIZE)
        how = (flags & _INT & ~AT_SYMLINK_NOFOLLOW) | AT_EMPTY_PATH
        with self._found(call, directory, address, flags) as found:
            self._ask("statx", found, b"", how, mask & _INT, content)
        self._callers.write(call, buffer, content.raw)
        return 0

    def _statfs(self, call: Notification) -> Answer:
        address, buffer = call.arguments[:2]
        content = ctypes.create_string_buffer(_STATFS_SIZE)
        place = self._place(call, AT_FDCWD, address)
        with self._files.reach(call, place) as found:
            where = b"self/fd/%d" % found if place.link or place.device else b"."
            self._ask("statfs", where, content)
        self._callers.write(call, buffer, content.raw)
        return 0

    def _access(
        self, call: Notification, directory: int, address: int, wanted: int, flags: int = 0
    ) -> Answer:
        with self._found(call, directory, address, flags) as found:
            if not os.access(b"self/fd/%d" % found, wanted & 7):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return 0

    def _chmod(
        self, call: Notification, directory: int, address: int, mode: int, flags: int = 0
    ) -> Answer:
        place = self._place(call, directory, address, follow=not flags & AT_SYMLINK_NOFOLLOW)
        if place.device:
            raise LookupError  # the kernel changes the placeholder
        if not place.link:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        with self._files.reach(call, place) as found:
            os.chmod(b"self/fd/%d" % found, mode & 0o7777)
        return 0

    def _linkat(self, call: Notification) -> Answer:
        """Link an open file, such as one that was created without a name (open(2), "O_TMPFILE")."""
        directory, address, new_directory, new_address = call.arguments[:4]
        place = self._place(call, directory, address)
        name = self._callers.text(call, new_address)
        with (
            self._files.reach(call, place) as found,
            self._files.start(call, new_directory, name) as base,
        ):
            os.link(b"self/fd/%d" % found, name, dst_dir_fd=base)
        return 0

    def _attribute(self, call: Notification) -> Answer:
        """Answer that a file of /proc has no attributes: to ls(1) it would not exist otherwise."""
        self._place(call, AT_FDCWD, call.arguments[0])
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    def _go(self, call: Notification, directory: int, address: int) -> Answer:
        """Make the path to a directory or a program exist, and let the kernel execute the call."""
        place = self._place(call, directory, address)
        if place.device:
            raise LookupError  # the kernel refuses a file that is neither directory nor program
        self._files.make_real(call, place, int(status_of(call.pid)[b"Tgid"]))
        return Reply.LET_PASS

    @contextmanager
    def _found(self, call: Notification, directory: int, address: int, flags: int) -> Iterator[int]:
        follow = not flags & AT_SYMLINK_NOFOLLOW
        place = self._place(call, directory, address, follow=follow)
        with self._files.reach(call, place, follow=follow) as found:
            yield found

    def _ask(self, name: str, *arguments: object) -> None:
        values = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
        if libc.syscall(ctypes.c_long(self._numbers[name]), *values) < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))


def _open_patiently(path: bytes, flags: int, mode: int = 0, base: int | None = None) -> int:
    """Open a file without waiting for the other end of a FIFO, which would block all callers."""
    flags = flags & _FLAGS | os.O_CLOEXEC | os.O_NOCTTY
    if flags & os.O_PATH:
        return os.open(path, flags, dir_fd=base)
    opened = os.open(path, flags | os.O_NONBLOCK, mode, dir_fd=base)
    if not flags & os.O_NONBLOCK:
        os.set_blocking(opened, True)
    return opened
