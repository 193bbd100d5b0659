"""Permission checks for users other than root.

For the kernel all files belong to the step's only id. Programs check whether they may write
somewhere and do something else if not (pip: a user's site-packages), so these checks are emulated.
"""

import errno
import os
import stat

from img.adapters.linux import process_memory
from img.adapters.linux.syscalls import AT_FDCWD, AT_SYMLINK_NOFOLLOW
from img.adapters.storage.owner_records import Owner
from img.adapters.syscall_supervisor.listener import Notification
from img.adapters.syscall_supervisor.replies import Answer, Reply
from img.adapters.syscall_supervisor.root.credentials import Credentials
from img.adapters.syscall_supervisor.root.identities import Identities
from img.adapters.syscall_supervisor.root.owners import Owners
from img.adapters.syscall_supervisor.root.paths import Paths

READ, WRITE, SEARCH = 4, 2, 1
_AT_EACCESS = 0x200
# Not files of the image: the kernel's own check applies.
_SYSTEM = (b"/proc/", b"/sys/", b"/dev/")


class Permissions:
    """Checks modes and recorded owners against the credentials of the caller."""

    def __init__(self, paths: Paths, owners: Owners, top: bytes = b"") -> None:
        self._paths = paths
        self._owners = owners
        self._top = top

    def check(
        self, caller: Credentials, text: bytes, where: bytes, wanted: int, *, follow: bool = True
    ) -> None:
        """Raise PermissionError or FileNotFoundError unless ``caller`` has access to a file.

        ``text`` is the path that the caller uses, ``where`` is the supervisor's.
        """
        if caller.user.filesystem == 0 or self._is_outside_image(text):
            return
        if text[:1] == b"/" and not self._paths.strayed:
            self._check_way(caller, text)
        status = os.stat(where, follow_symlinks=follow)
        if not stat.S_ISLNK(status.st_mode):
            self._check_one(caller, where, status, wanted, follow=follow)

    def _is_outside_image(self, text: bytes) -> bool:
        if self._top:
            return text[:1] == b"/" and not text.startswith(self._top)
        return text.startswith(_SYSTEM)

    def _check_way(self, caller: Credentials, text: bytes) -> None:
        # mkdir(2) accepts a trailing slash for a directory that does not exist yet
        text = text.rstrip(b"/")
        end = text.find(b"/", len(self._top) + 1)
        while end > 0:
            directory = text[:end]
            self._check_one(caller, directory, os.stat(directory), SEARCH, follow=True)
            end = text.find(b"/", end + 1)

    def _check_one(
        self,
        caller: Credentials,
        where: bytes,
        status: os.stat_result,
        wanted: int,
        *,
        follow: bool,
    ) -> None:
        if status.st_mode & 0o777 & (wanted * 0o111) == wanted * 0o111:
            return  # every user has access
        owner = self._owners.on_record(where, follow=follow)
        owner = owner or self._owners.unrecorded(status.st_uid, status.st_gid)
        if wanted & ~_bits_for(caller, status.st_mode, owner):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _bits_for(caller: Credentials, mode: int, owner: Owner) -> int:
    if caller.user.filesystem == owner.uid:
        return mode >> 6 & 7
    return (mode >> 3 if caller.is_in(owner.gid) else mode) & 7


class AccessCalls:
    """Handlers for access(2) and similar calls."""

    def __init__(self, identities: Identities, paths: Paths, permissions: Permissions) -> None:
        self._identities = identities
        self._paths = paths
        self._permissions = permissions

    def access(self, call: Notification) -> Answer:
        """Answer access(2)."""
        return self._access(call, AT_FDCWD, call.arguments[0], call.arguments[1], 0)

    def faccessat(self, call: Notification) -> Answer:
        """Answer faccessat(2)."""
        directory, path, mode = call.arguments[:3]
        return self._access(call, directory, path, mode, 0)

    def faccessat2(self, call: Notification) -> Answer:
        """Answer faccessat2(2)."""
        directory, path, mode, flags = call.arguments[:4]
        return self._access(call, directory, path, mode, flags)

    def _access(
        self, call: Notification, directory: int, address: int, wanted: int, flags: int
    ) -> Answer:
        caller = self._identities.of(call.pid)
        if not flags & _AT_EACCESS:
            caller = caller.as_real()
        if caller.user.filesystem != 0:
            text = process_memory.read_text(call.pid, address)
            follow = not flags & AT_SYMLINK_NOFOLLOW
            where = self._paths.find(call, directory, text, follow=follow)
            self._permissions.check(caller, text, where, wanted & 7, follow=follow)
        return Reply.LET_PASS
