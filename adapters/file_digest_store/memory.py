"""Known files in a dict."""

import os
from collections.abc import Iterable, Iterator

from img.application.ports.file_digest_store import FileDigestStore, KnownFile


class MemoryFileDigestStore(FileDigestStore):
    """Known files that are lost with the process."""

    def __init__(self) -> None:
        self._contexts: dict[str, dict[str, KnownFile]] = {}

    def load(self, context: str) -> Iterator[tuple[str, KnownFile | None]]:
        yield from [*self._contexts.get(context, {}).items()]

    def save(
        self,
        context: str,
        known: Iterable[tuple[str, KnownFile]],
        gone: Iterable[str] = (),
    ) -> None:
        files = self._contexts.setdefault(context, {})
        files.update(known)
        for path in gone:
            files.pop(path, None)

    def forget(self, *, everything: bool = False) -> None:
        gone = [path for path in self._contexts if everything or not os.path.isdir(path)]
        for path in gone:
            del self._contexts[path]
