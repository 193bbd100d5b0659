"""The file ``img.lock``: its place, and what commands do with it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from img.application.transfer.locked_pins import LockedPins, RecordingPins
from img.domain.dataclass import dataclass
from img.domain.errors import ContextError, UsageError
from img.domain.lock import BadLock, Lock
from img.domain.options.lock import LockMode
from img.entrypoints.cli.output import say, say_text

if TYPE_CHECKING:
    from img.application.ports.output_files import OutputFiles

_NAME = "img.lock"
_LARGEST = 16 << 20  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LockFile:
    """A lock file that is written, or compared with what ``pins`` noted."""

    place: str
    command: str  # that writes the file
    before: Lock
    pins: RecordingPins
    mode: LockMode
    keep: bool = False  # the entries of names that were not noted

    @classmethod
    def open(cls, place: str, mode: LockMode, *, command: str, keep: bool = False) -> "LockFile":
        """Read the file, which only a check needs to exist. Raises ContextError, UsageError."""
        must_exist = mode.check or any(mode.update)
        before = read_lock(place, command) if must_exist or os.path.exists(place) else Lock()
        pins = RecordingPins(before, _keeps(mode.looked_up, before))
        return cls(place=place, command=command, before=before, pins=pins, mode=mode, keep=keep)

    def finish(self, places: "OutputFiles") -> tuple[str, ...]:
        """Write the file unless the mode forbids it; return and print the differences.

        Raises OutputNotWritten, and UsageError for differences that a check found.
        """
        noted = self.pins.noted
        after = self.before | noted if self.keep else noted
        differences = tuple(self.before.differences(after))
        if self.mode.writes:
            with places.file(self.place) as output:
                output.write(after.render().encode())
        say_text("".join(f"{line}\n" for line in differences))
        if self.mode.check and differences:
            raise UsageError(f"{self.place} is not up to date", hint=f"`{self.command}` writes it")
        if self.mode.writes:
            say(f"Wrote {self.place}", error=True)
        return differences


def lock_place(location: str, lockfile: str) -> str:
    """Return the path of the lock file: in the context if that is a directory, else here."""
    if lockfile:
        return lockfile
    return os.path.join(location, _NAME) if os.path.isdir(location) else _NAME


def read_lock(place: str, command: str) -> Lock:
    """Return the lock in a file, which ``command`` writes. Raises ContextError, BadLock."""
    try:
        with Path(place).open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise ContextError(
            f"cannot read {place}: {(error.strerror or str(error)).lower()}",
            hint=f"`{command}` writes it",
        ) from None
    if len(content) > _LARGEST:
        raise BadLock(f"{place} is larger than {_LARGEST >> 20} MiB")
    return Lock.parse(content)


def locked_pins(location: str, lockfile: str, command: str) -> LockedPins:
    """Return the entries of the lock file for ``--locked``. Raises ContextError, BadLock."""
    return LockedPins(read_lock(lock_place(location, lockfile), command), command)


def _keeps(update: tuple[str, ...], lock: Lock) -> Callable[[str], bool]:
    """Return whether the entry of a name stays. Raises UsageError for a name without an entry."""
    from img.domain.reference import ImageReference

    if "" in update:
        return lambda _name: False
    entries = {*lock.urls, *lock.commits, *(name for name, _ in lock.images)}
    chosen = set()
    for name in update:
        found = name if name in entries or "://" in name else str(ImageReference.parse(name))
        if found not in entries:
            raise UsageError(f"{name} has no entry in the lock file", hint="leave --update out")
        chosen.add(found)
    return lambda name: name not in chosen
