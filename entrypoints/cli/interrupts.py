"""Ctrl-C and SIGTERM as exceptions in the main thread (ADR 41)."""

import signal
import sys
import types

_PAUSE_S = 0.05  # between checks whether the exception is being handled


class Terminated(BaseException):
    """The exception of SIGTERM. Like KeyboardInterrupt, it is not an Exception."""


def install_handlers() -> None:
    """Let SIGINT raise KeyboardInterrupt, and SIGTERM ``Terminated``, until it is handled.

    Python drops exceptions in finalizers and in callbacks of weak references, and Cython where it
    tests for an attribute (as imports of dependency_injector do). A dropped interrupt is raised
    again.
    """
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # sh ignores it in background jobs
        signal.signal(signal.SIGINT, _interrupt)
    sys.unraisablehook = _report_others


def ignore() -> None:
    """Ignore further interrupts."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)


def _interrupt(_signal: int, _frame: types.FrameType | None) -> None:
    _raise(KeyboardInterrupt)


def _terminate(_signal: int, _frame: types.FrameType | None) -> None:
    _raise(Terminated)


def _raise(kind: type[BaseException]) -> None:
    def again(_signal: int, _frame: types.FrameType | None) -> None:
        if _is_being_handled(kind):
            signal.setitimer(signal.ITIMER_REAL, 0)  # do not interrupt the cleanup
        else:
            raise kind

    signal.signal(signal.SIGALRM, again)
    signal.setitimer(signal.ITIMER_REAL, _PAUSE_S, _PAUSE_S)
    raise kind


def _is_being_handled(kind: type[BaseException]) -> bool:
    """Return whether a ``finally``, ``with`` or ``except`` handles it or a consequence of it."""
    exception = sys.exc_info()[1]
    while exception is not None and not isinstance(exception, kind):
        exception = exception.__context__
    return exception is not None


def _report_others(dropped: "sys.UnraisableHookArgs") -> None:
    if not issubclass(dropped.exc_type, KeyboardInterrupt | Terminated):
        sys.__unraisablehook__(dropped)
