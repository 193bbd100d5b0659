"""Where the groups of steps are made, in one hierarchy, and what is written into each."""

import os
from contextlib import suppress

from img.domain.dataclass import dataclass
from img.domain.errors import HostError

MARK = "img-"  # how the names of groups of ours begin


class LimitsUnavailable(HostError):
    """Groups of ours cannot be made here."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A file of a group, and what it has to say."""

    file: str
    value: str
    optional: bool = False  # not every kernel has the file


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """A directory that groups may be made in."""

    directory: str
    settings: tuple[Setting, ...]
    counter: str = ""  # the file that counts what was killed for want of memory

    def joined(self, other: "Home") -> "Home":
        """Return the same directory with the settings of both."""
        return Home(
            directory=self.directory,
            settings=tuple(dict.fromkeys((*self.settings, *other.settings))),
            counter=self.counter or other.counter,
        )


def write(path: str, value: str) -> None:
    """Tell the kernel something, which takes it whole or not at all. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, value.encode())
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None
    finally:
        os.close(descriptor)


def read(path: str) -> str:
    """Return what the kernel says, "" where it says nothing."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def require_writable(directory: str, *, own: str) -> None:
    """Check that groups can be made in ``directory``, and entered from ``own``.

    Raises LimitsUnavailable.
    """
    above = os.path.commonpath([directory, own])
    for path in (directory, f"{directory}/cgroup.procs", f"{above}/cgroup.procs"):
        if not os.access(path, os.W_OK):
            raise LimitsUnavailable(f"{path} may not be written")


def remove_leftovers(directory: str) -> None:
    """Remove the groups of builds that were killed; whoever uses one holds a lock on it."""
    import fcntl

    for name in os.listdir(directory):
        if not name.startswith(MARK):
            continue
        with suppress(OSError):  # in use, or gone
            group = os.open(f"{directory}/{name}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(group, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.rmdir(f"{directory}/{name}")
            finally:
                os.close(group)
