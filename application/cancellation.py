"""Cancellation of steps."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Event

from img.application.ports.executor import Cancellation
from img.domain.dataclass import dataclass
from img.domain.errors import BuildError

POLL_S = 0.1  # between looks at a cancellation in calls that cannot be interrupted

_current: ContextVar[Cancellation | None] = ContextVar("cancellation", default=None)


class StepCanceled(BuildError):
    """A step was stopped, as another one failed or the user interrupted the build."""

    def __init__(self) -> None:
        super().__init__("context canceled")


class LinkedCancellation(Event):
    """An event that is also set if another cancellation is."""

    def __init__(self, other: Cancellation | None) -> None:
        super().__init__()
        self._other = other

    def is_set(self) -> bool:
        return super().is_set() or (self._other is not None and self._other.is_set())


@dataclass(frozen=True, slots=True)
class Deadline(Cancellation):
    """A cancellation, or the end of a time, whichever comes first."""

    cancelled: Cancellation
    end_s: float  # of the monotonic clock

    @property
    def has_passed(self) -> bool:
        """Return whether the time has ended."""
        return time.monotonic() >= self.end_s

    def is_set(self) -> bool:
        return self.cancelled.is_set() or self.has_passed

    def wait(self, timeout: float | None = None) -> bool:
        left = max(0.0, self.end_s - time.monotonic())
        self.cancelled.wait(left if timeout is None else min(timeout, left))
        return self.is_set()


@contextmanager
def cancelled_by(cancellation: Cancellation) -> Iterator[None]:
    """Make ``cancellation`` the current one of this thread."""
    token = _current.set(cancellation)
    try:
        yield
    finally:
        _current.reset(token)


def current_cancellation() -> Cancellation | None:
    """Return the cancellation of this thread; call it before work moves to another thread."""
    return _current.get()


def make_current(cancellation: Cancellation) -> None:
    """Make ``cancellation`` the current one of this thread until its end."""
    _current.set(cancellation)


def pause(seconds: float) -> None:
    """Wait. Raises StepCanceled once the cancellation of this thread is set."""
    cancellation = current_cancellation()
    if cancellation is None:
        time.sleep(seconds)
        return
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if cancellation.is_set():
            raise StepCanceled
        time.sleep(min(left, POLL_S))
