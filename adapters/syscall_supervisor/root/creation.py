"""Creation of files, with the caller as the owner (open(2), mkdir(2), symlink(2), mknod(2))."""

import errno
import os
import stat
import struct

from img.adapters.linux import process_memory, small_files, syscalls
from img.adapters.linux.syscalls import AT_FDCWD
from img.adapters.storage import owner_records
from img.adapters.storage.owner_records import ROOT, Owner
from img.adapters.syscall_supervisor.listener import Listener, Notification
from img.adapters.syscall_supervisor.replies import Answer, Reply
from img.adapters.syscall_supervisor.root.credentials import Credentials
from img.adapters.syscall_supervisor.root.identities import Identities
from img.adapters.syscall_supervisor.root.owners import Owners
from img.adapters.syscall_supervisor.root.paths import Paths
from img.adapters.syscall_supervisor.root.permissions import READ, SEARCH, WRITE, Permissions

_OPEN_HOW = struct.Struct("QQQ")
_WANTED = {os.O_RDONLY: READ, os.O_WRONLY: WRITE, os.O_RDWR: READ | WRITE}
_INT = 0xFFFF_FFFF
# Of open(2); bit 31 is no flag, and does not fit in a C int. openat2(2) takes all bits.
_FLAGS = 0x7FFF_FFFF
# The devices that every step has, by the text of their records.
_HARMLESS = {
    b"null": b"c 1:3",
    b"zero": b"c 1:5",
    b"full": b"c 1:7",
    b"random": b"c 1:8",
    b"urandom": b"c 1:9",
}
_MOST_LINKS = 40  # the kernel's limit


class CreationCalls:
    """Creates files for callers other than root and records the owners."""

    def __init__(
        self,
        listener: Listener,
        identities: Identities,
        paths: Paths,
        owners: Owners,
        permissions: Permissions,
    ) -> None:
        self._listener = listener
        self._identities = identities
        self._paths = paths
        self._owners = owners
        self._permissions = permissions

    def open(self, call: Notification) -> Answer:
        """Answer open(2)."""
        path, flags, mode = call.arguments[:3]
        return self._open(call, AT_FDCWD, path, flags, mode)

    def openat(self, call: Notification) -> Answer:
        """Answer openat(2)."""
        directory, path, flags, mode = call.arguments[:4]
        return self._open(call, directory, path, flags, mode)

    def creat(self, call: Notification) -> Answer:
        """Answer creat(2)."""
        path, mode = call.arguments[:2]
        return self._open(call, AT_FDCWD, path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, mode)

    def openat2(self, call: Notification) -> Answer:
        """Answer openat2(2)."""
        directory, path, how, size = call.arguments[:4]
        if size < _OPEN_HOW.size:
            return Reply.LET_PASS
        flags, mode, resolve = _OPEN_HOW.unpack(process_memory.read(call.pid, how, _OPEN_HOW.size))
        if not flags & (os.O_CREAT | os.O_TMPFILE | os.O_ACCMODE):
            return Reply.LET_PASS
        return self._open(call, directory, path, flags, mode, resolve)

    def mkdir(self, call: Notification) -> Answer:
        """Answer mkdir(2)."""
        path, mode = call.arguments[:2]
        return self._mkdir(call, AT_FDCWD, path, mode)

    def mkdirat(self, call: Notification) -> Answer:
        """Answer mkdirat(2)."""
        directory, path, mode = call.arguments[:3]
        return self._mkdir(call, directory, path, mode)

    def symlink(self, call: Notification) -> Answer:
        """Answer symlink(2)."""
        text, path = call.arguments[:2]
        return self._symlink(call, text, AT_FDCWD, path)

    def symlinkat(self, call: Notification) -> Answer:
        """Answer symlinkat(2)."""
        text, directory, path = call.arguments[:3]
        return self._symlink(call, text, directory, path)

    def mknod(self, call: Notification) -> Answer:
        """Answer mknod(2)."""
        path, mode, device = call.arguments[:3]
        return self._mknod(call, AT_FDCWD, path, mode, device)

    def mknodat(self, call: Notification) -> Answer:
        """Answer mknodat(2)."""
        directory, path, mode, device = call.arguments[:4]
        return self._mknod(call, directory, path, mode, device)

    def _open(
        self,
        call: Notification,
        directory: int,
        path: int,
        flags: int,
        mode: int,
        resolve: int = 0,
    ) -> Answer:
        flags &= _FLAGS
        caller = self._identities.of(call.pid)
        if flags & os.O_PATH:
            return Reply.LET_PASS
        text = process_memory.read_text(call.pid, path)
        device = self._device_meant(call, directory, text)
        if device is not None and not flags & os.O_EXCL:
            self._check_existing(call, caller, directory, text, flags)
            return self._open_device(call, device, flags)
        unnamed = flags & os.O_TMPFILE == os.O_TMPFILE
        if not unnamed and not flags & os.O_CREAT:
            if caller.user.filesystem:
                self._check_existing(call, caller, directory, text, flags)
            return Reply.LET_PASS
        where = self._paths.place(call, directory, text)
        parent = where if unnamed else _parent(where)
        owner = self._owner_of_new(caller, parent)
        if owner == ROOT:
            return Reply.LET_PASS
        if not unnamed and os.path.lexists(where):
            if flags & (os.O_EXCL | os.O_NOFOLLOW) or self._exists(call, directory, text):
                self._check_existing(call, caller, directory, text, flags)
                return Reply.LET_PASS
            where = self._end_of_links(call, where)
            parent = _parent(where)
            owner = self._owner_of_new(caller, parent)
        self._check_parent(caller, text, parent)
        return self._open_new(call, where, flags, mode, resolve, parent, owner)

    def _device_meant(self, call: Notification, directory: int, text: bytes) -> bytes | None:
        """Return the device that the file stands for, if it is one of the step's own devices."""
        name = text.rpartition(b"/")[2]
        if name not in _HARMLESS or (text[:5] == b"/dev/" and not self._paths.strayed):
            return None
        try:
            where = self._paths.find(call, directory, text)
            names = owner_records.names_on(where, follow=True)
            recorded = self._owners.device_of(where, names, follow=True)
        except OSError:
            return None
        return name if recorded == _HARMLESS[name] else None

    def _open_device(self, call: Notification, name: bytes, flags: int) -> Answer:
        # In a root below the step's (debootstrap), data written to /dev/null must not be stored.
        opened = os.open(b"/dev/" + name, (flags & ~(os.O_CREAT | os.O_TRUNC)) | os.O_CLOEXEC)
        try:
            self._listener.hand_over(call, opened, inheritable=not flags & os.O_CLOEXEC)
        finally:
            os.close(opened)
        return Reply.SENT

    def _exists(self, call: Notification, directory: int, text: bytes) -> bool:
        try:
            return os.path.exists(self._paths.find(call, directory, text))
        except FileNotFoundError:
            return False

    def _end_of_links(self, call: Notification, where: bytes) -> bytes:
        """Return the path of the missing file that a link, or a chain of links, leads to."""
        for _ in range(_MOST_LINKS):
            if not os.path.islink(where):
                return where
            where = self._paths.place_beside(call, where, os.readlink(where))
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))

    def _open_new(
        self,
        call: Notification,
        where: bytes,
        flags: int,
        mode: int,
        resolve: int,
        parent: bytes,
        owner: Owner,
    ) -> Answer:
        if flags & os.O_TMPFILE != os.O_TMPFILE:
            flags |= os.O_EXCL | os.O_NOFOLLOW
        mode &= 0o7777 & ~umask_of(call.pid)
        try:
            if resolve:
                made = _open_below(parent, where, flags, mode, resolve)
            else:
                made = os.open(where, flags, mode)
        except FileExistsError:  # another process created it meanwhile
            return Reply.LET_PASS
        try:
            self._owners.record(made, owner)
            self._listener.hand_over(call, made, inheritable=not flags & os.O_CLOEXEC)
        finally:
            os.close(made)
        return Reply.SENT

    def _mkdir(self, call: Notification, directory: int, path: int, mode: int) -> Answer:
        caller = self._identities.of(call.pid)
        text = process_memory.read_text(call.pid, path)
        where = self._paths.place(call, directory, text.rstrip(b"/"))
        parent = _parent(where)
        owner = self._owner_of_new(caller, parent)
        if owner == ROOT or os.path.lexists(where):
            return Reply.LET_PASS
        self._check_parent(caller, text, parent)
        os.mkdir(where, mode & 0o7777 & ~umask_of(call.pid))
        self._owners.record(where, owner)
        return 0

    def _symlink(self, call: Notification, target: int, directory: int, path: int) -> Answer:
        caller = self._identities.of(call.pid)
        text = process_memory.read_text(call.pid, path)
        where = self._paths.place(call, directory, text)
        parent = _parent(where)
        owner = self._owner_of_new(caller, parent)
        if owner == ROOT:
            return Reply.LET_PASS
        self._check_parent(caller, text, parent)
        os.symlink(process_memory.read_text(call.pid, target), where)
        self._owners.record(where, owner)
        return 0

    def _mknod(
        self, call: Notification, directory: int, path: int, mode: int, device: int
    ) -> Answer:
        device &= _INT
        caller = self._identities.of(call.pid)
        text = process_memory.read_text(call.pid, path)
        where = self._paths.place(call, directory, text)
        parent = _parent(where)
        owner = self._owner_of_new(caller, parent)
        is_device = stat.S_IFMT(mode & _INT) in (stat.S_IFCHR, stat.S_IFBLK)
        if owner == ROOT and not is_device:
            return Reply.LET_PASS
        self._check_parent(caller, text, parent)
        permissions = mode & 0o7777 & ~umask_of(call.pid)
        if is_device:
            # 0:0 is a whiteout of overlays, and the kernel never allows it inside an overlay.
            if not caller.privileged or device == 0:
                raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
            self._stand_in(where, mode, permissions, device)
        else:
            os.mknod(where, stat.S_IFMT(mode & _INT) | permissions)
        self._owners.record(where, owner)
        return 0

    def _stand_in(self, where: bytes, mode: int, permissions: int, device: int) -> None:
        kind = b"c" if stat.S_ISCHR(mode) else b"b"
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW
        file = os.open(where, flags, permissions)
        try:
            text = b"%s %d:%d" % (kind, os.major(device), os.minor(device))
            self._owners.record_device(file, text)
        finally:
            os.close(file)

    def _owner_of_new(self, caller: Credentials, parent: bytes) -> Owner:
        uid, gid = caller.user.filesystem, caller.group.filesystem
        if os.stat(parent).st_mode & stat.S_ISGID:
            gid = (self._owners.on_record(parent, follow=True) or ROOT).gid
        return Owner(uid, gid)

    def _check_existing(
        self, call: Notification, caller: Credentials, directory: int, text: bytes, flags: int
    ) -> None:
        wanted = _WANTED.get(flags & os.O_ACCMODE, 0) | (WRITE if flags & os.O_TRUNC else 0)
        self._permissions.check(caller, text, self._paths.find(call, directory, text), wanted)

    def _check_parent(self, caller: Credentials, text: bytes, parent: bytes) -> None:
        self._permissions.check(caller, text, parent, WRITE | SEARCH)


def _parent(where: bytes) -> bytes:
    directory, _, name = where.rpartition(b"/")
    if name in (b"", b".", b".."):
        raise LookupError(where)
    return directory or b"/"


def umask_of(pid: int) -> int:
    """Return the umask of a process. Raises OSError."""
    _, _, rest = small_files.read_start(b"%d/status" % pid, 512).partition(b"\nUmask:\t")
    return int(rest.partition(b"\n")[0], 8)


def _open_below(parent: bytes, where: bytes, flags: int, mode: int, resolve: int) -> int:
    directory = os.open(parent, os.O_PATH | os.O_CLOEXEC)
    try:
        name = os.fsdecode(where.rpartition(b"/")[2])
        return syscalls.openat2(directory, name, flags, mode=mode, resolve=resolve)
    finally:
        os.close(directory)
