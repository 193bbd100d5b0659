"""Waiting for a step and all its descendants, without a pid namespace."""

import os
import signal

from img.adapters.executor import descendants
from img.adapters.linux import syscalls

_WAKING = (signal.SIGTERM, signal.SIGCHLD)
_LOOKS_S = 0.05  # between two searches for orphans of a tracer


def gather_orphans() -> None:
    """Become the subreaper of all orphans of the step; end when the parent of this process does."""
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGTERM)
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)


def wait_for(pid: int, *, traces: bool = False) -> int:
    """Return the exit code of ``pid`` when it and all descendants have ended; SIGTERM kills them.

    SIGTERM and SIGCHLD have to be blocked. A process that ``traces`` ends with the last of its
    tracees; tracees that outlive the first one are killed.
    """
    code: int | None = None
    while code is None:
        came = signal.sigtimedwait(_WAKING, _LOOKS_S) if traces else signal.sigwaitinfo(_WAKING)
        if came is None:
            descendants.kill_orphans_beside(pid)
        elif came.si_signo == signal.SIGTERM:
            os.kill(pid, signal.SIGKILL)
        code = exit_code_of_reaped(pid)
    descendants.kill_all()
    return code


def exit_code_of_reaped(wanted: int) -> int | None:
    """Reap all ended children; return the exit code of ``wanted`` if it is one of them."""
    code = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if not pid:
            return code
        if pid == wanted:
            ended = os.waitstatus_to_exitcode(status)
            code = ended if ended >= 0 else 128 - ended
