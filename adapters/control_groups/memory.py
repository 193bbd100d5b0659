"""Control groups for tests, which enforce nothing."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from img.application.ports.control_groups import ControlGroup, ControlGroups
from img.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryControlGroup(ControlGroup):
    """A group with given directories and a given result."""

    names: tuple[str, ...] = ()
    exceeded: bool = False

    @property
    def directories(self) -> tuple[str, ...]:
        return self.names

    def ran_out_of_memory(self) -> bool:
        return self.exceeded


class MemoryControlGroups(ControlGroups):
    """One group for all steps, and the number of its current uses."""

    def __init__(
        self, group: ControlGroup | None = None, *, shortcomings: Sequence[str] = ()
    ) -> None:
        self._group = group or MemoryControlGroup()
        self._shortcomings = tuple(shortcomings)
        self.in_use = 0

    def shortcomings(self) -> Sequence[str]:
        return self._shortcomings

    @contextmanager
    def group(self) -> Iterator[ControlGroup]:
        self.in_use += 1
        try:
            yield self._group
        finally:
            self.in_use -= 1
