"""A lock within one process."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from img.application.ports.state_lock import Collecting, StateLock


class MemoryStateLock(StateLock):
    """Counts the running work."""

    def __init__(self) -> None:
        self._giving_out = Lock()
        self._collecting = Lock()
        self._numbers = itertools.count(1)
        self.at_work: set[int] = set()

    @contextmanager
    def working(self) -> Iterator[None]:
        with self._giving_out:
            number = next(self._numbers)
            self.at_work.add(number)
        try:
            yield
        finally:
            self.at_work.discard(number)

    @contextmanager
    def reading(self) -> Iterator[None]:
        with self.working():
            yield

    @contextmanager
    def collecting(self, *, wait: bool = True) -> Iterator["MemoryCollecting | None"]:
        if not self._collecting.acquire(blocking=wait):
            yield None
            return
        try:
            with self._giving_out:
                generation = next(self._numbers)
            yield MemoryCollecting(generation, self.at_work)
        finally:
            self._collecting.release()

    @contextmanager
    def alone(self) -> Iterator[bool]:
        with self._giving_out:
            yield not self.at_work

    def oldest(self) -> float | None:
        return 0.0 if self.at_work else None


class MemoryCollecting(Collecting):
    """A running garbage collection."""

    def __init__(self, generation: int, at_work: set[int]) -> None:
        self._generation = generation
        self._at_work = at_work

    @property
    def generation(self) -> int:
        return self._generation

    def ended(self, generation: int) -> bool:
        return all(number > generation for number in self._at_work)
