"""What the fork server does with signals, and how a step gets them."""

import signal

from img.adapters.linux import syscalls

OF_TERMINALS = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM)
_IGNORED = (*OF_TERMINALS, signal.SIGPIPE, signal.SIGXFSZ)


def ignore_signals() -> None:
    """Ignore what a terminal sends, and what Python ignores; take all others as programs do.

    So what is forked has few to reset, whatever the command line was started with.
    """
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN if number in _IGNORED else signal.SIG_DFL)
    syscalls.default_internal_signals()


def reset_signals() -> None:
    """Take all signals as a program expects to find them, in a fork of who ignored them."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
