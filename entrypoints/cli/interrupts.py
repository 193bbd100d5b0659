"""Ctrl-C and SIGTERM: exceptions in the main thread, which are not lost."""

import signal
import sys
import types

_PAUSE_S = 0.01  # until what dropped an interrupt is over


class Terminated(BaseException):
    """SIGTERM came. Like KeyboardInterrupt, it is no error to be handled."""


def heed() -> None:
    """Have SIGINT raise KeyboardInterrupt, and SIGTERM ``Terminated``, sooner or later.

    Python drops what is raised in finalizers and in callbacks of weak references, which run
    anywhere: in imports above all. What was dropped so is raised again.
    """
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # start.py; who has it ignored goes on so
        signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.unraisablehook = _raise_later


def ignore() -> None:
    """Let nothing interrupt this process any more."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)


def _terminate(_signal: int, _frame: types.FrameType | None) -> None:
    raise Terminated


def _raise_later(dropped: "sys.UnraisableHookArgs") -> None:
    kind = dropped.exc_type
    if not issubclass(kind, KeyboardInterrupt | Terminated):
        sys.__unraisablehook__(dropped)
        return

    def again(_signal: int, _frame: types.FrameType | None) -> None:
        raise kind

    signal.signal(signal.SIGALRM, again)
    signal.setitimer(signal.ITIMER_REAL, _PAUSE_S)
