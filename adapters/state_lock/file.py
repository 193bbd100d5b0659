"""A lock on a file of the state directory; given back even by a crash."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from img.adapters.linux.files import Lock
from img.application.ports.state_lock import StateLock


class FileStateLock(StateLock):
    """Shared while working, exclusive while collecting (flock(2))."""

    def __init__(self, path: Path) -> None:
        self._path = os.fspath(path)

    @contextmanager
    def working(self) -> Iterator[None]:
        with Lock(self._path, shared=True):
            yield

    @contextmanager
    def collecting(self) -> Iterator[bool]:
        lock = Lock(self._path, wait=False)
        try:
            lock.__enter__()
        except BlockingIOError:
            yield False
            return
        try:
            yield True
        finally:
            lock.__exit__(None, None, None)
