"""Which process has which credentials.

A table by pid would lose track: of a child whose parent became somebody else before it was first
seen, of an orphan, of a pid given anew. So each process carries the number of its credentials
itself, in a resource limit: children inherit it, programs keep it, and RLIMIT_LOCKS limits
nothing since Linux 2.4.25 (getrlimit(2)).
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
        """Return who a process seems to be. Raises ProcessLookupError."""
        soft, _ = resource.prlimit(pid, RLIMIT_LOCKS)
        # Whatever else it is, unlimited at first, nobody has become somebody yet.
        number = soft - _FIRST
        return self._known[number if 0 <= number < len(self._known) else 0]

    def set(self, pid: int, credentials: Credentials) -> None:
        """Make a process and the children it will have somebody. Raises ProcessLookupError."""
        number = self._numbers.setdefault(credentials, len(self._known))
        if number == len(self._known):
            self._known.append(credentials)
        _, hard = resource.prlimit(pid, RLIMIT_LOCKS)
        resource.prlimit(pid, RLIMIT_LOCKS, (_FIRST + number, hard))
