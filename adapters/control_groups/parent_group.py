"""The parent directory of the groups of steps, in one hierarchy, and the settings of each group."""

import os
from contextlib import suppress

from img.domain.dataclass import dataclass
from img.domain.errors import HostError

MARK = "img-"  # the prefix of the names of img's groups


class LimitsUnavailable(HostError):
    """Control groups cannot be created."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A file of a group, and its content."""

    file: str
    value: str
    optional: bool = False  # not every kernel has the file


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentGroup:
    """A directory in which groups may be created."""

    directory: str
    settings: tuple[Setting, ...]
    counter: str = ""  # the file that counts processes killed for lack of memory

    def merged(self, other: "ParentGroup") -> "ParentGroup":
        """Return the same directory with the settings of both."""
        return ParentGroup(
            directory=self.directory,
            settings=tuple(dict.fromkeys((*self.settings, *other.settings))),
            counter=self.counter or other.counter,
        )


def write(path: str, value: str) -> None:
    """Write to a kernel file, which accepts all or nothing. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, value.encode())
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None
    finally:
        os.close(descriptor)


def read(path: str) -> str:
    """Return the content of a kernel file, "" if it cannot be read."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def require_writable(directory: str, *, own: str) -> None:
    """Check that groups can be created in ``directory``, and entered from ``own``.

    Raises LimitsUnavailable.
    """
    above = os.path.commonpath([directory, own])
    for path in (directory, f"{directory}/cgroup.procs", f"{above}/cgroup.procs"):
        if not os.access(path, os.W_OK):
            raise LimitsUnavailable(f"{path} may not be written")


def remove_leftovers(directory: str) -> None:
    """Remove the groups of killed builds; a group in use is locked."""
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
