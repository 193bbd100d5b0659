"""Signal dispositions of the fork server and of steps."""

import signal

from img.adapters.linux import syscalls

TERMINAL_SIGNALS = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM)
_IGNORED = (*TERMINAL_SIGNALS, signal.SIGPIPE, signal.SIGXFSZ)
# Of the C library (nptl/internal-signals.h). Programs that posix_spawn(3) starts ignore them, and
# so do all their descendants.
_INTERNAL = (32, 33)


def ignore_signals() -> None:
    """Ignore signals of the terminal and those that Python ignores; reset all others.

    So forked processes have few signals to reset, independent of the dispositions at the start.
    """
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN if number in _IGNORED else signal.SIG_DFL)
    syscalls.default_signals(_INTERNAL)


def reset_signals() -> None:
    """Reset all signals to the defaults that programs expect, after ``ignore_signals``.

    The program is executed next: the signal module, which is slower, need not know.
    """
    syscalls.default_signals(_IGNORED)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
