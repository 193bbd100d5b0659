"""Cancellation of steps."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from img.application.ports.executor import Cancellation
from img.domain.errors import BuildError

_current: ContextVar[Cancellation | None] = ContextVar("cancellation", default=None)


class StepCanceled(BuildError):
    """A step was stopped, as another one failed or the user interrupted the build."""

    def __init__(self) -> None:
        super().__init__("context canceled")


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
