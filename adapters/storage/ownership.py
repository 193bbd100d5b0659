"""Real or recorded file ownership."""

import errno
import os
from abc import abstractmethod
from collections.abc import Collection
from typing import Protocol

from img.adapters.linux.closed_files import Target
from img.adapters.storage import owner_records
from img.adapters.storage.owner_records import ROOT, Journal, Owner, Unrecordable
from img.domain.filesystem.entry import CHARACTER


class Ownership(Protocol):
    """The way in which the files of root file systems get their owners."""

    @abstractmethod
    def within(self, directory: str) -> "Ownership":
        """Return the ownership for files below ``directory``; call it before the other methods."""

    @abstractmethod
    def give(self, target: Target, uid: int, gid: int, *, at: int | None = None) -> None:
        """Set the owner of a file without following links; the path is relative to ``at``.

        Set-user-ID bits and file capabilities may be lost, as with chown(2).
        """

    def of_new_files(self) -> Owner | None:
        """Return the owner of the files that this process creates; None: each needs ``give``."""
        return None

    @abstractmethod
    def record_device(self, file: int, device: bytes) -> None:
        """Record that an empty file stands for a device, such as "c 1:3"."""

    def restricts_device(self, kind: str, device: tuple[int, int]) -> bool:
        """Tell whether a device with that number must be closed to all users but root."""
        return False

    @abstractmethod
    def device_of(self, path: str, status: os.stat_result, names: Collection[str]) -> bytes | None:
        """Return the device that a file stands for, None for a real file."""

    @abstractmethod
    def of(self, path: str, status: os.stat_result, names: Collection[str]) -> Owner:
        """Return the owner of a file; ``status`` and attribute ``names`` are those of the path."""


class RealOwnership(Ownership):
    """Ownership in the file system: this process may change owners."""

    def within(self, directory: str) -> Ownership:
        return self

    def give(self, target: Target, uid: int, gid: int, *, at: int | None = None) -> None:
        if isinstance(target, int):
            os.chown(target, uid, gid)
        else:
            os.chown(target, uid, gid, dir_fd=at, follow_symlinks=False)

    def of_new_files(self) -> Owner | None:
        return Owner(os.geteuid(), os.getegid())

    def record_device(self, file: int, device: bytes) -> None:
        owner_records.record_device(file, device)

    def device_of(self, path: str, status: os.stat_result, names: Collection[str]) -> bytes | None:
        return owner_records.device_on(path, names)

    def of(self, path: str, status: os.stat_result, names: Collection[str]) -> Owner:
        return Owner(status.st_uid, status.st_gid)


class RecordedOwnership(Ownership):
    """Ownership in records: all files belong to the only id that there is."""

    def __init__(self, directory: str | None = None) -> None:
        self._journal = Journal(journal_of(directory)) if directory else Journal()

    def within(self, directory: str) -> Ownership:
        return RecordedOwnership(directory)

    def give(self, target: Target, uid: int, gid: int, *, at: int | None = None) -> None:
        where = target if at is None else b"/proc/self/fd/%d/%s" % (at, _encoded(target))
        try:
            owner_records.write(where, Owner(uid, gid))
        except Unrecordable:
            self._journal.add(_status(where), Owner(uid, gid))
        else:
            if self._journal:
                self._journal.add(_status(where), ROOT)

    def record_device(self, file: int, device: bytes) -> None:
        try:
            owner_records.record_device(file, device)
        except Unrecordable:
            self._journal.add_device(os.fstat(file), device)

    def device_of(self, path: str, status: os.stat_result, names: Collection[str]) -> bytes | None:
        return owner_records.device_on(path, names) or self._journal.device_of(status)

    def of(self, path: str, status: os.stat_result, names: Collection[str]) -> Owner:
        return owner_records.read(path, names) or self._journal.owner_of(status) or ROOT


class OutsideOwnership(RealOwnership):
    """Ownership of files that are written outside of the state: no file stands for a device.

    Without ``owners`` the files belong to the process that creates them.
    """

    def __init__(self, *, owners: bool) -> None:
        self._owners = owners

    def give(self, target: Target, uid: int, gid: int, *, at: int | None = None) -> None:
        if self._owners:
            super().give(target, uid, gid, at=at)

    def restricts_device(self, kind: str, device: tuple[int, int]) -> bool:
        # The state is closed to other users, and steps cannot open devices on its file systems. An
        # output directory may have neither protection: a disk with mode 0666 is the host's own.
        return kind != CHARACTER or device not in _HARMLESS

    def record_device(self, file: int, device: bytes) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


# null, zero, full, random, urandom, tty, ptmx: the devices of every container (runtime-spec
# config-linux.md, "Default Devices").
_HARMLESS = {(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2)}

REAL = RealOwnership()


def journal_of(directory: str) -> str:
    """Return the path of the journal for files below ``directory`` that cannot store records."""
    return f"{directory.rstrip('/')}.owners"


def _status(target: Target) -> os.stat_result:
    return os.fstat(target) if isinstance(target, int) else os.lstat(target)


def _encoded(target: Target) -> bytes:
    assert not isinstance(target, int)
    return os.fsencode(target)
