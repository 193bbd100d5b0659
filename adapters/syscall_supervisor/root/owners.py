"""Owners of files as a step sees and sets them."""

import os

from img.adapters.linux import process_memory
from img.adapters.linux.syscalls import AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW
from img.adapters.storage import owner_records
from img.adapters.storage.owner_records import ROOT, Journal, Owner, Unrecordable
from img.adapters.syscall_supervisor.listener import Notification
from img.adapters.syscall_supervisor.replies import Answer
from img.adapters.syscall_supervisor.root.identities import Identities
from img.adapters.syscall_supervisor.root.paths import Paths, may_lead_through_proc

_UNCHANGED = 0xFFFF_FFFF


class Owners:
    """The owner records of a step's files, as attributes or in the journal."""

    def __init__(self, journal: Journal, own: Owner = ROOT) -> None:
        self._journal = journal
        self._own = own

    @property
    def are_those_of_kernel(self) -> bool:
        """True if the kernel reports the right owners for files without a record."""
        return self._own == ROOT

    def unrecorded(self, uid: int, gid: int) -> Owner:
        """Return the emulated owner of a file without a record, given the kernel's ids."""
        return Owner(0 if uid == self._own.uid else uid, 0 if gid == self._own.gid else gid)

    @property
    def in_journal(self) -> bool:
        """True if the owner of any file is in the journal."""
        return bool(self._journal)

    def on_record(self, path: bytes, *, follow: bool) -> Owner | None:
        """Return the recorded owner of a file, None if it is root's. Raises OSError."""
        names = owner_records.names_on(path, follow=follow)
        return self.known(path, names, follow=follow)

    def known(self, path: bytes, names: list[str], *, follow: bool) -> Owner | None:
        """Return the recorded owner of a file with the attributes ``names``."""
        if names and (owner := owner_records.read(path, names, follow=follow)):
            return owner
        if self._journal:
            return self._journal.owner_of(os.stat(path, follow_symlinks=follow))
        return None

    def device_of(self, path: bytes, names: list[str], *, follow: bool) -> bytes | None:
        """Return the device that a file stands for, None for a real file."""
        if device := owner_records.device_on(path, names, follow=follow):
            return device
        if self._journal:
            return self._journal.device_of(os.stat(path, follow_symlinks=follow))
        return None

    def record_device(self, file: int, device: bytes) -> None:
        """Record that an empty file stands for a device."""
        try:
            owner_records.record_device(file, device)
        except Unrecordable:
            self._journal.add_device(os.fstat(file), device)

    def record(self, path: bytes | int, owner: Owner, *, follow: bool = False) -> None:
        """Record the owner of a file."""
        try:
            owner_records.write(path, owner, follow=follow)
        except Unrecordable:
            self._journal.add(_status(path, follow=follow), owner)
        else:
            if self._journal:
                self._journal.add(_status(path, follow=follow), ROOT)


def _status(path: bytes | int, *, follow: bool) -> os.stat_result:
    return os.fstat(path) if isinstance(path, int) else os.stat(path, follow_symlinks=follow)


class OwnerCalls:
    """Handlers for chown(2) and similar calls."""

    def __init__(self, identities: Identities, paths: Paths, owners: Owners) -> None:
        self._identities = identities
        self._paths = paths
        self._owners = owners

    def chown(self, call: Notification) -> Answer:
        """Answer chown(2)."""
        return self._chown_path(call, AT_FDCWD, call.arguments[0], call.arguments[1:3])

    def lchown(self, call: Notification) -> Answer:
        """Answer lchown(2)."""
        path, uid, gid = call.arguments[:3]
        return self._chown_path(call, AT_FDCWD, path, (uid, gid), AT_SYMLINK_NOFOLLOW)

    def fchownat(self, call: Notification) -> Answer:
        """Answer fchownat(2)."""
        directory, path, uid, gid, flags, _ = call.arguments
        return self._chown_path(call, directory, path, (uid, gid), flags)

    def fchown(self, call: Notification) -> Answer:
        """Answer fchown(2)."""
        descriptor, uid, gid = call.arguments[:3]
        where = self._paths.find_to_change(call, descriptor, b"")
        return self._chown(call, where, (uid, gid), follow=True)

    def _chown_path(
        self,
        call: Notification,
        directory: int,
        address: int,
        wanted: tuple[int, ...],
        flags: int = 0,
    ) -> Answer:
        text = process_memory.read_text(call.pid, address)
        if not text and not flags & AT_EMPTY_PATH:
            raise FileNotFoundError(2, "no name")
        follow = not flags & AT_SYMLINK_NOFOLLOW
        try:
            where = self._paths.find_to_change(call, directory, text, follow=follow)
            return self._chown(call, where, wanted, follow=follow or not text)
        except OSError as error:
            if not may_lead_through_proc(error):
                raise
            own = self._paths.find_own(call, text, follow=follow)
            if own is None:
                raise
        return self._chown(call, own, wanted, follow=follow)

    def _chown(
        self, call: Notification, where: bytes, wanted: tuple[int, ...], *, follow: bool
    ) -> Answer:
        uid, gid = (value & 0xFFFF_FFFF for value in wanted)
        follow = follow or (where.startswith(b"self/fd/") and where.count(b"/") == 2)
        now = ROOT
        if _UNCHANGED in (uid, gid) or not self._identities.of(call.pid).privileged:
            now = self._owners.on_record(where, follow=follow) or ROOT
        to = Owner(
            now.uid if uid == _UNCHANGED else uid,
            now.gid if gid == _UNCHANGED else gid,
        )
        self._check(call, now, to)
        # The kernel removes set-user-ID bits and capabilities, and with them a record in the
        # latter.
        os.chown(where, -1, -1, follow_symlinks=follow)
        owner_records.drop_capability(where, follow=follow)
        self._owners.record(where, to, follow=follow)
        return 0

    def _check(self, call: Notification, now: Owner, to: Owner) -> None:
        """Raise PermissionError for a change that only root may make (chown(2), EPERM)."""
        caller = self._identities.of(call.pid)
        if caller.privileged:
            return
        own = caller.user.filesystem == now.uid
        if not own or to.uid != now.uid or (to.gid != now.gid and not caller.is_in(to.gid)):
            raise PermissionError(1, "not the owner")
