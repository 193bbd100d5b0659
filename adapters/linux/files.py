"""Locks between processes."""

import fcntl
import os
from types import TracebackType


class Lock:
    """A lock on a file, between threads as well as processes; given back even by a crash.

    Each ``with`` needs an instance of its own.
    """

    def __init__(self, path: str, *, shared: bool = False, wait: bool = True) -> None:
        self._path = path
        self._how = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
        self._descriptor = -1

    def __enter__(self) -> "Lock":
        """Wait for the lock. Raises BlockingIOError where it was not to wait."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, self._how)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)
        self._descriptor = -1
