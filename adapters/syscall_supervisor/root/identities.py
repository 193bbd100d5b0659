"""The emulated credentials of each process.

A table by pid would be wrong for an orphan, for a pid that is used again, and for a child if the
parent changed ids before the child's first call. So each process carries the number of its
credentials in a resource limit: children inherit it, programs keep it, and RLIMIT_LOCKS has no
other effect since Linux 2.4.25 (getrlimit(2)).
"""

import resource

from img.adapters.syscall_supervisor.root.credentials import Credentials

RLIMIT_LOCKS = 10
_FIRST = 1 << 30


class Identities:
    """The credentials of all processes of a step."""

    def __init__(self, initial: Credentials) -> None:
        self._known = [initial]
        self._numbers = {initial: 0}

    def of(self, pid: int) -> Credentials:
        """Return the emulated credentials of a process. Raises ProcessLookupError."""
        soft, _ = resource.prlimit(pid, RLIMIT_LOCKS)
        # Any other value, such as the initial "unlimited", means the initial credentials.
        number = soft - _FIRST
        return self._known[number if 0 <= number < len(self._known) else 0]

    def set(self, pid: int, credentials: Credentials) -> None:
        """Set the credentials of a process and its new children. Raises ProcessLookupError."""
        number = self._numbers.setdefault(credentials, len(self._known))
        if number == len(self._known):
            self._known.append(credentials)
        _, hard = resource.prlimit(pid, RLIMIT_LOCKS)
        resource.prlimit(pid, RLIMIT_LOCKS, (_FIRST + number, hard))
