"""Cache directories that last as long as the process."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from img.application.ports.cache_mounts import CacheDirectory, CacheMounts


class MemoryCacheMounts(CacheMounts):
    """Temporary directories by id; everything is shared."""

    def __init__(self) -> None:
        self._directories: dict[str, tempfile.TemporaryDirectory[str]] = {}

    @contextmanager
    def use(
        self, name: str, *, sharing: str, mode: int, owner: tuple[int, int]
    ) -> Iterator[CacheDirectory]:
        fresh = name not in self._directories
        if fresh:
            self._directories[name] = tempfile.TemporaryDirectory(prefix="img-cache-")
        yield CacheDirectory(self._directories[name].name, fresh)
