"""Recorded file capabilities, for steps that may not write real ones (capabilities(7))."""

import errno
import os
from collections.abc import Callable, Mapping
from functools import partial

from img.adapters.linux import process_memory
from img.adapters.linux.syscalls import AT_FDCWD
from img.adapters.storage import owner_records
from img.adapters.storage.owner_records import CAPABILITY
from img.adapters.syscall_supervisor.listener import Notification
from img.adapters.syscall_supervisor.replies import Answer, Reply
from img.adapters.syscall_supervisor.root.attributes import target_of, write_result
from img.adapters.syscall_supervisor.root.identities import Identities
from img.adapters.syscall_supervisor.root.paths import Paths

SETTING = ("setxattr", "lsetxattr", "fsetxattr")
GETTING = ("getxattr", "lgetxattr", "fgetxattr")
REMOVING = ("removexattr", "lremovexattr", "fremovexattr")
_MOST = 64  # bytes: more than the size of struct vfs_ns_cap_data
_NAME = CAPABILITY.encode()


class CapabilityCalls:
    """Handlers that keep file capabilities in records.

    Writing to a file does not remove its capabilities, as it would without emulation.
    """

    def __init__(self, identities: Identities, paths: Paths) -> None:
        self._identities = identities
        self._paths = paths

    def handlers(self) -> Mapping[str, Callable[[Notification], Answer]]:
        """Return the handler of each call."""
        setting = {name: partial(self._set, opened=name[0] == "f") for name in SETTING}
        removing = {name: partial(self._remove, opened=name[0] == "f") for name in REMOVING}
        getting = {name: partial(self._get, name) for name in GETTING}
        return setting | getting | removing

    def _set(self, call: Notification, *, opened: bool) -> Answer:
        if not self._is_emulated(call):
            return Reply.LET_PASS
        address, size = call.arguments[2:4]
        value = process_memory.read(call.pid, address, min(size, _MOST))
        owner_records.keep_capability(self._file(call, opened=opened), value, follow=True)
        return 0

    def _get(self, name: str, call: Notification) -> Answer:
        named, buffer, size = call.arguments[1:4]
        if process_memory.read_text(call.pid, named) != _NAME:
            return Reply.LET_PASS
        where, follow = target_of(self._paths, call, name)
        value = owner_records.capability_on(where, follow=follow)
        return Reply.LET_PASS if value is None else write_result(call, value, buffer, size)

    def _remove(self, call: Notification, *, opened: bool) -> Answer:
        if not self._is_emulated(call):
            return Reply.LET_PASS
        owner_records.drop_capability(self._file(call, opened=opened), follow=True)
        return 0

    def _is_emulated(self, call: Notification) -> bool:
        if process_memory.read_text(call.pid, call.arguments[1]) != _NAME:
            return False
        if not self._identities.of(call.pid).privileged:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        return True

    def _file(self, call: Notification, *, opened: bool) -> bytes:
        first = call.arguments[0]
        if opened:
            return self._paths.find_to_change(call, first, b"")
        return self._paths.find_to_change(call, AT_FDCWD, process_memory.read_text(call.pid, first))
