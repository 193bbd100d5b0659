"""A lock within one process."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from img.application.ports.state_lock import StateLock


class MemoryStateLock(StateLock):
    """Counts who works."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._working = 0

    @contextmanager
    def working(self) -> Iterator[None]:
        with self._lock:
            self._working += 1
        try:
            yield
        finally:
            with self._lock:
                self._working -= 1

    @contextmanager
    def collecting(self) -> Iterator[bool]:
        with self._lock:
            yield self._working == 0
