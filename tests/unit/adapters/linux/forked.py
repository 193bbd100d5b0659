"""Runs what cannot be undone in a process of its own."""

import os
from collections.abc import Callable


def exit_code_of(work: Callable[[], int]) -> int:
    """Return the result of ``work`` in a fork of this process; 255 for an exception."""
    pid = os.fork()
    if pid == 0:
        code = 255
        try:
            code = work()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
