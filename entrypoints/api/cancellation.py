"""Cancellation of calls of the API from other threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from img.domain.errors import ImgError
from img.entrypoints.api.engine import EngineEnded


class Canceled(ImgError):
    """A call was cancelled by its ``Cancellation``."""

    exit_code = 130  # as of a command after Ctrl-C

    def __init__(self) -> None:
        super().__init__("the call was cancelled")


class Cancellation:
    """A request to end calls, which all threads may make and which stays.

    The calls that have it end their steps, remove their mounts and temporary files, and raise
    Canceled. At the end of ``with Cancellation() as cancellation:`` the calls that still run are
    cancelled.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_cancelled = False
        self._running: dict[object, Callable[[], None]] = {}

    def __enter__(self) -> Cancellation:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    @property
    def is_cancelled(self) -> bool:
        """True after ``cancel``."""
        return self._is_cancelled

    def cancel(self) -> None:
        """Cancel all calls that have this object, also later ones. It does not wait for them."""
        with self._lock:
            self._is_cancelled = True
            running = list(self._running.values())
        for end in running:
            end()

    def check(self) -> None:
        """Raise Canceled after ``cancel``."""
        if self._is_cancelled:
            raise Canceled

    @contextmanager
    def ending(self, end: Callable[[], None]) -> Iterator[None]:
        """Call ``end`` if this is cancelled within the block. Raises Canceled for EngineEnded."""
        key = object()
        with self._lock:
            self.check()
            self._running[key] = end
        try:
            yield
        except EngineEnded:
            self.check()
            raise
        finally:
            with self._lock:
                del self._running[key]
