"""Permission checks for removing, renaming and chmod (unlink(2), rename(2), chmod(2))."""

import errno
import os
import stat
from collections.abc import Callable, Mapping

from img.adapters.linux import process_memory
from img.adapters.linux.syscalls import AT_FDCWD
from img.adapters.storage.owner_records import ROOT
from img.adapters.syscall_supervisor.listener import Notification
from img.adapters.syscall_supervisor.replies import Answer, Reply
from img.adapters.syscall_supervisor.root.credentials import Credentials
from img.adapters.syscall_supervisor.root.identities import Identities
from img.adapters.syscall_supervisor.root.owners import Owners
from img.adapters.syscall_supervisor.root.paths import Paths
from img.adapters.syscall_supervisor.root.permissions import SEARCH, WRITE, Permissions

# The paths of each call: (argument of the directory, argument of the path).
_NAMES: Mapping[str, tuple[tuple[int | None, int], ...]] = {
    "unlink": ((None, 0),),
    "unlinkat": ((0, 1),),
    "rmdir": ((None, 0),),
    "rename": ((None, 0), (None, 1)),
    "renameat": ((0, 1), (2, 3)),
    "renameat2": ((0, 1), (2, 3)),
    "link": ((None, 1),),
    "linkat": ((2, 3),),
}
_MODES: Mapping[str, tuple[int | None, int | None]] = {
    "chmod": (None, 0),
    "fchmod": (0, None),
    "fchmodat": (0, 1),
    "fchmodat2": (0, 1),
}


class ChangeCalls:
    """Refuses calls that Docker would refuse to the user; the kernel executes the others."""

    def __init__(
        self, identities: Identities, paths: Paths, owners: Owners, permissions: Permissions
    ) -> None:
        self._identities = identities
        self._paths = paths
        self._owners = owners
        self._permissions = permissions

    def handlers(self) -> Mapping[str, Callable[[Notification], Answer]]:
        """Return the handler of each call."""
        names = {name: self._handler_of_names(places) for name, places in _NAMES.items()}
        return names | {name: self._handler_of_mode(*place) for name, place in _MODES.items()}

    def _handler_of_names(
        self, places: tuple[tuple[int | None, int], ...]
    ) -> Callable[[Notification], Answer]:
        def check(call: Notification) -> Answer:
            caller = self._identities.of(call.pid)
            if caller.user.filesystem:
                for directory, path in places:
                    at = AT_FDCWD if directory is None else call.arguments[directory]
                    self._check_name(call, caller, at, call.arguments[path])
            return Reply.LET_PASS

        return check

    def _handler_of_mode(
        self, directory: int | None, path: int | None
    ) -> Callable[[Notification], Answer]:
        def check(call: Notification) -> Answer:
            caller = self._identities.of(call.pid)
            if caller.user.filesystem:
                at = AT_FDCWD if directory is None else call.arguments[directory]
                text = b""
                if path is not None:
                    text = process_memory.read_text(call.pid, call.arguments[path])
                owner = self._owners.on_record(self._paths.find(call, at, text), follow=True)
                if (owner or ROOT).uid != caller.user.filesystem:
                    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
            return Reply.LET_PASS

        return check

    def _check_name(
        self, call: Notification, caller: Credentials, directory: int, address: int
    ) -> None:
        text = process_memory.read_text(call.pid, address).rstrip(b"/")
        where = self._paths.place(call, directory, text)
        parent = where.rpartition(b"/")[0] or b"/"
        self._permissions.check(caller, text, parent, WRITE | SEARCH)
        if os.stat(parent).st_mode & stat.S_ISVTX and os.path.lexists(where):
            owners = [self._owners.on_record(path, follow=False) for path in (where, parent)]
            if caller.user.filesystem not in [(owner or ROOT).uid for owner in owners]:
                raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
