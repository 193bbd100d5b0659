"""Ctrl-C and SIGTERM: exceptions in the main thread, which are not lost."""

import signal
import sys
import types

_PAUSE_S = 0.05  # from an interrupt to the look whether it is on its way


class Terminated(BaseException):
    """SIGTERM came. Like KeyboardInterrupt, it is no error to be handled."""


def heed() -> None:
    """Have SIGINT raise KeyboardInterrupt, and SIGTERM ``Terminated``, until it is handled.

    Such an exception comes anywhere, and may be dropped there: Python drops it in finalizers and
    in callbacks of weak references, Cython wherever it only asks whether there is an attribute
    (imports of dependency_injector do). What was dropped so is raised again.
    """
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # a background job of sh
        signal.signal(signal.SIGINT, _interrupt)
    sys.unraisablehook = _tell_others


def ignore() -> None:
    """Let nothing interrupt this process any more."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)


def _interrupt(_signal: int, _frame: types.FrameType | None) -> None:
    _raise(KeyboardInterrupt)


def _terminate(_signal: int, _frame: types.FrameType | None) -> None:
    _raise(Terminated)


def _raise(kind: type[BaseException]) -> None:
    def again(_signal: int, _frame: types.FrameType | None) -> None:
        if _is_being_handled(kind):
            signal.setitimer(signal.ITIMER_REAL, 0)  # what tidies up is not to be disturbed
        else:
            raise kind

    signal.signal(signal.SIGALRM, again)
    signal.setitimer(signal.ITIMER_REAL, _PAUSE_S, _PAUSE_S)
    raise kind


def _is_being_handled(kind: type[BaseException]) -> bool:
    """Tell whether a ``finally``, a ``with`` or an ``except`` has it, or what became of it."""
    exception = sys.exc_info()[1]
    while exception is not None and not isinstance(exception, kind):
        exception = exception.__context__
    return exception is not None


def _tell_others(dropped: "sys.UnraisableHookArgs") -> None:
    if not issubclass(dropped.exc_type, KeyboardInterrupt | Terminated):
        sys.__unraisablehook__(dropped)
