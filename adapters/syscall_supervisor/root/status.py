"""Files as a step sees them: with their owners on record (stat(2), statx(2))."""

import ctypes
import os
import re
import stat
import struct

from img.adapters.linux import call_numbers, process_memory
from img.adapters.storage import owner_records
from img.adapters.storage.owner_records import Owner
from img.adapters.syscall_supervisor.listener import Listener, Notification
from img.adapters.syscall_supervisor.replies import Answer, Reply
from img.adapters.syscall_supervisor.root.owners import AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, Owners
from img.adapters.syscall_supervisor.root.paths import AT_FDCWD, Paths
from img.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StatLayout:
    """Where ``struct stat`` has what, in bytes (asm/stat.h)."""

    size: int
    mode: int
    owner: int  # uid, and gid after it
    device: int


STAT_LAYOUTS = {
    "x86_64": StatLayout(size=144, mode=24, owner=28, device=40),
    "aarch64": StatLayout(size=128, mode=16, owner=24, device=32),
}
_NUMBERS = {"x86_64": call_numbers.X86_64, "aarch64": call_numbers.AARCH64}
# struct statx (linux/stat.h), the same everywhere.
STATX_SIZE = 256
_STATX_OWNER, _STATX_MODE, _STATX_DEVICE = 20, 28, 128

_libc = ctypes.PyDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class StatusCalls:
    """stat(2) and its like. What is root's, as next to everything is, the kernel tells."""

    def __init__(self, listener: Listener, paths: Paths, owners: Owners) -> None:
        machine = os.uname().machine
        self._layout = STAT_LAYOUTS[machine]
        self._numbers = _NUMBERS[machine]
        self._listener = listener
        self._paths = paths
        self._owners = owners

    def stat(self, call: Notification) -> Answer:
        path, buffer = call.arguments[:2]
        return self._stat(call, AT_FDCWD, path, buffer, 0)

    def lstat(self, call: Notification) -> Answer:
        path, buffer = call.arguments[:2]
        return self._stat(call, AT_FDCWD, path, buffer, AT_SYMLINK_NOFOLLOW)

    def newfstatat(self, call: Notification) -> Answer:
        directory, path, buffer, flags = call.arguments[:4]
        return self._stat(call, directory, path, buffer, flags)

    def fstat(self, call: Notification) -> Answer:
        descriptor, buffer = call.arguments[:2]
        return self._stat(call, descriptor, 0, buffer, AT_EMPTY_PATH)

    def statx(self, call: Notification) -> Answer:
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
        # Nine of ten calls a step makes end here.
        if (
            self._owners.are_as_told
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
        """Return where the file is and whether to follow a link there. Raises OSError."""
        text = process_memory.read_text(call.pid, address) if address else b""
        follow = not flags & AT_SYMLINK_NOFOLLOW
        where = self._paths.find(call, directory, text, follow=follow)
        return where, follow or not text or where.startswith(b"self/")

    def _recorded(
        self, where: bytes, *, follow: bool
    ) -> tuple[Owner | None, tuple[int, int] | None] | None:
        """Return what is to be told in place of what is; None where there is nothing else."""
        names = owner_records.names_on(where, follow=follow)
        owner = self._owners.known(where, names, follow=follow)
        text = self._owners.device_of(where, names, follow=follow)
        device = None if text is None else _device(text)
        if owner is None and device is None and self._owners.are_as_told:
            return None
        return owner, device

    def _ask(self, name: str, where: bytes, *arguments: object) -> None:
        number = ctypes.c_long(self._numbers[name])
        if _libc.syscall(number, ctypes.c_long(AT_FDCWD), where, *arguments) < 0:
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
