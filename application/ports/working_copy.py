"""Working copies of repositories on this machine."""

from abc import abstractmethod
from typing import Protocol

from img.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingCopy:
    """The state of a working copy that has some directory."""

    revision: str  # the commit that is checked out, as hex
    is_changed: bool  # a file differs from the commit, or is not in it
    remote: str = ""  # the URL of "origin", else of the only remote; it may have credentials
    directory: str = "."  # the path of the directory in the working copy
    top: str = ""  # the absolute path of the working copy, without links


class WorkingCopies(Protocol):
    """The working copies that directories are in."""

    @abstractmethod
    def find(self, directory: str) -> WorkingCopy | None:
        """Return the state of the working copy with ``directory``.

        None if it is in none, has no commit, or cannot be read. A working copy is not trusted: its
        configuration is not used, and nothing that it names is run.
        """
