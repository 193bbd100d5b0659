"""Limits on what steps use of the machine."""

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from img.domain.errors import HostError


class LimitRefused(HostError):
    """The kernel takes no such limit: a processor that is not there, less than it can do with."""


class ControlGroup(Protocol):
    """The limits of one step, held by the kernel for all processes that are in it."""

    @property
    @abstractmethod
    def directories(self) -> tuple[str, ...]:
        """Where it is in each hierarchy: what a process enters (``Process.control_groups``)."""

    @abstractmethod
    def ran_out_of_memory(self) -> bool:
        """Tell whether the kernel has killed any process in it for want of memory."""


class ControlGroups(Protocol):
    """Makes groups that all have the same limits. Several threads may ask at once."""

    @abstractmethod
    def shortcomings(self) -> Sequence[str]:
        """Return which limits cannot be held here, why, and what would help; none if all can.

        Found by doing; what builds that were killed have left is removed on the way.
        """

    @abstractmethod
    def group(self) -> AbstractContextManager[ControlGroup]:
        """Make a group with the limits that can be held, and remove it in the end.

        It has no directories where none can be. Raises LimitRefused.
        """
