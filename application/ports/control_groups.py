"""Limits on the resources of steps."""

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from img.domain.errors import HostError


class LimitRefused(HostError):
    """The kernel refuses a limit: a processor that does not exist, a value that is too small."""


class ControlGroup(Protocol):
    """A control group of the kernel with the limits of one step."""

    @property
    @abstractmethod
    def directories(self) -> tuple[str, ...]:
        """The directory of each hierarchy, for ``Process.control_groups``; none without support."""

    @abstractmethod
    def ran_out_of_memory(self) -> bool:
        """Return whether the kernel killed a process of the group because of its memory limit."""


class ControlGroups(Protocol):
    """Control groups with the limits of a build; several threads may use them."""

    @abstractmethod
    def shortcomings(self) -> Sequence[str]:
        """Return a message for each limit that does not work here: reason and remedy.

        Found by trial; groups of killed builds are deleted meanwhile.
        """

    @abstractmethod
    def group(self) -> AbstractContextManager[ControlGroup]:
        """Enter with a new group that has the limits that work, and delete it at the end.

        It has no directories if no limit works. Raises LimitRefused.
        """
