"""A lock on a file of the state directory; given back even by a crash."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from img.adapters.linux.files import Lock
from img.application.ports.state_lock import StateLock
from img.domain.errors import StateError


class FileStateLock(StateLock):
    """Shared while working, exclusive while collecting (flock(2))."""

    def __init__(self, path: Path) -> None:
        self._path = os.fspath(path)

    @contextmanager
    def working(self) -> Iterator[None]:
        with self._lock(shared=True, wait=True):
            yield

    @contextmanager
    def collecting(self) -> Iterator[bool]:
        with ExitStack() as held:
            try:
                held.enter_context(self._lock(shared=False, wait=False))
            except BlockingIOError:
                yield False
                return
            yield True

    def _lock(self, *, shared: bool, wait: bool) -> Lock:
        """Return the lock, its directory made: others have no business in there (0700)."""
        directory = os.path.dirname(self._path)
        try:
            os.makedirs(directory, mode=0o700, exist_ok=True)
        except OSError as error:
            raise StateError(
                f"cannot make the state directory {directory}: {error.strerror}",
                hint="name another one with --state",
            ) from None
        if not os.access(directory, os.W_OK):
            raise StateError(
                f"cannot write to the state directory {directory}",
                hint="name another one with --state",
            )
        return Lock(self._path, shared=shared, wait=wait)
