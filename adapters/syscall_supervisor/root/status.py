"""Status of files as a step sees it: with recorded owners (stat(2), statx(2))."""

import ctypes
import os
import re
import stat
import struct

from img.adapters.linux import process_memory
from img.adapters.linux.syscalls import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_SYMLINK_NOFOLLOW,
    libc_with_gil,
)
from img.adapters.storage import owner_records
from img.adapters.storage.owner_records import Owner
from img.adapters.syscall_supervisor.bpf import MACHINES
from img.adapters.syscall_supervisor.listener import Listener, Notification
from img.adapters.syscall_supervisor.replies import Answer, Reply
from img.adapters.syscall_supervisor.root.owners import Owners
from img.adapters.syscall_supervisor.root.paths import Paths
from img.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StatLayout:
    """Offsets in ``struct stat``, in bytes (asm/stat.h)."""

    size: int
    mode: int
    owner: int  # uid, followed by gid
    device: int


STAT_LAYOUTS = {
    "x86_64": StatLayout(size=144, mode=24, owner=28, device=40),
    "aarch64": StatLayout(size=128, mode=16, owner=24, device=32),
}
# struct statx (linux/stat.h), the same on all architectures.
STATX_SIZE = 256
_STATX_OWNER, _STATX_MODE, _STATX_DEVICE = 20, 28, 128


class StatusCalls:
    """Handlers for stat(2) and similar calls. The kernel answers for files of root, almost all."""

    def __init__(self, listener: Listener, paths: Paths, owners: Owners) -> None:
        machine = os.uname().machine
        self._layout = STAT_LAYOUTS[machine]
        self._numbers = MACHINES[machine].calls
        self._listener = listener
        self._paths = paths
        self._owners = owners

    def stat(self, call: Notification) -> Answer:
        """Answer stat(2)."""
        path, buffer = call.arguments[:2]
        return self._stat(call, AT_FDCWD, path, buffer, 0)

    def lstat(self, call: Notification) -> Answer:
        """Answer lstat(2)."""
        path, buffer = call.arguments[:2]
        return self._stat(call, AT_FDCWD, path, buffer, AT_SYMLINK_NOFOLLOW)

    def newfstatat(self, call: Notification) -> Answer:
        """Answer newfstatat(2)."""
        directory, path, buffer, flags = call.arguments[:4]
        return self._stat(call, directory, path, buffer, flags)

    def fstat(self, call: Notification) -> Answer:
        """Answer fstat(2)."""
        descriptor, buffer = call.arguments[:2]
        return self._stat(call, descriptor, 0, buffer, AT_EMPTY_PATH)

    def statx(self, call: Notification) -> Answer:
        """Answer statx(2)."""
        directory, path, flags, mask, buffer = call.arguments[:5]
        where, follow = self._locate(call, directory, path, flags)
        seen = self._recorded(where, follow=follow)
        if seen is None:
            return Reply.LET_PASS
        content = ctypes.create_string_buffer(STATX_SIZE)
        flags = (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) | _nofollow(follow)
        self._ask("statx", where, flags, ctypes.c_uint(mask & 0xFFFF_FFFF), content)
        owner, device = seen
        if owner is None:
            owner = self._owners.unrecorded(*struct.unpack_from("II", content, _STATX_OWNER))
        struct.pack_into("II", content, _STATX_OWNER, *owner)
        if device is not None:
            kind, number = device
            (mode,) = struct.unpack_from("H", content, _STATX_MODE)
            struct.pack_into("H", content, _STATX_MODE, kind | stat.S_IMODE(mode))
            where_device = (os.major(number), os.minor(number))
            struct.pack_into("II", content, _STATX_DEVICE, *where_device)
        return self._tell(call, buffer, content.raw)

    def _stat(
        self, call: Notification, directory: int, path: int, buffer: int, flags: int
    ) -> Answer:
        where, follow = self._locate(call, directory, path, flags)
        # Nine of ten calls of a step end here.
        if (
            self._owners.are_those_of_kernel
            and not os.listxattr(where, follow_symlinks=follow)
            and not self._owners.in_journal
        ):
            return Reply.LET_PASS
        seen = self._recorded(where, follow=follow)
        if seen is None:
            return Reply.LET_PASS
        layout = self._layout
        content = ctypes.create_string_buffer(layout.size)
        self._ask("newfstatat", where, content, _nofollow(follow))
        owner, device = seen
        if owner is None:
            owner = self._owners.unrecorded(*struct.unpack_from("II", content, layout.owner))
        struct.pack_into("II", content, layout.owner, *owner)
        if device is not None:
            kind, number = device
            (mode,) = struct.unpack_from("I", content, layout.mode)
            struct.pack_into("I", content, layout.mode, kind | stat.S_IMODE(mode))
            struct.pack_into("Q", content, layout.device, number)
        return self._tell(call, buffer, content.raw)

    def _locate(
        self, call: Notification, directory: int, address: int, flags: int
    ) -> tuple[bytes, bool]:
        """Return the path of the file and whether to follow a link there. Raises OSError."""
        text = process_memory.read_text(call.pid, address) if address else b""
        follow = not flags & AT_SYMLINK_NOFOLLOW
        where = self._paths.find(call, directory, text, follow=follow)
        return where, follow or not text or where.startswith(b"self/")

    def _recorded(
        self, where: bytes, *, follow: bool
    ) -> tuple[Owner | None, tuple[int, int] | None] | None:
        """Return the recorded owner and device of a file; None if there is no record."""
        names = owner_records.names_on(where, follow=follow)
        owner = self._owners.known(where, names, follow=follow)
        text = self._owners.device_of(where, names, follow=follow)
        device = None if text is None else _device(text)
        if owner is None and device is None and self._owners.are_those_of_kernel:
            return None
        return owner, device

    def _ask(self, name: str, where: bytes, *arguments: object) -> None:
        number = ctypes.c_long(self._numbers[name])
        if libc_with_gil.syscall(number, ctypes.c_long(AT_FDCWD), where, *arguments) < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))

    def _tell(self, call: Notification, buffer: int, content: bytes) -> Answer:
        if self._listener.is_waiting(call):
            process_memory.write(call.pid, buffer, content)
        return 0


def _nofollow(follow: bool) -> int:
    return 0 if follow else AT_SYMLINK_NOFOLLOW


def _device(text: bytes) -> tuple[int, int] | None:
    """Return (S_IFCHR or S_IFBLK, device number)."""
    match = re.fullmatch(rb"([cb]) (\d{1,9}):(\d{1,9})", text)
    if match is None:
        return None
    kind = stat.S_IFCHR if match[1] == b"c" else stat.S_IFBLK
    return kind, os.makedev(int(match[2]), int(match[3]))
