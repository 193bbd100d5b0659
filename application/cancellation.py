"""Giving up what is no longer wanted."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from img.application.ports.executor import Cancellation
from img.domain.errors import BuildError

_current: ContextVar[Cancellation | None] = ContextVar("cancellation", default=None)


class StepCanceled(BuildError):
    """A step that was stopped because another failed, or because the user asked."""

    def __init__(self) -> None:
        super().__init__("context canceled")


@contextmanager
def cancelled_by(cancellation: Cancellation) -> Iterator[None]:
    """Let ``cancellation`` count for all that this thread does inside."""
    token = _current.set(cancellation)
    try:
        yield
    finally:
        _current.reset(token)


def current_cancellation() -> Cancellation | None:
    """Return what counts for this thread; ask before another thread does the work."""
    return _current.get()
