"""Disk usage of a state in memory, for tests."""

from collections.abc import Sequence

from img.application.ports.state_space import Leftover, StateSpace


class MemoryStateSpace(StateSpace):
    """Disk usage and leftovers with the given values."""

    def __init__(self, *leftovers: Leftover, total: int = 0, free: int = 1 << 40) -> None:
        self.left = list(leftovers)
        self._total = total
        self._free = free

    def total(self) -> int:
        return self._total

    def free(self) -> int:
        return self._free

    def capacity(self) -> int:
        return self._free

    def leftovers(self, *, before: float | None) -> Sequence[Leftover]:
        return [each for each in self.left if before is None or each.changed < before]

    def remove(self, leftover: Leftover) -> None:
        if leftover in self.left:
            self.left.remove(leftover)
