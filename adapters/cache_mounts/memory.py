"""Cache mounts that last as long as the process."""

import io
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Lock

from img.application.ports.cache_mounts import CacheMounts, KeptDirectory
from img.application.ports.layer_archive import PackedEntry
from img.domain.filesystem.entry import DIRECTORY, FILE, Entry


class MemoryCacheMounts(CacheMounts):
    """Temporary directories by id; all of them are shared."""

    def __init__(self) -> None:
        self._directories: dict[str, tempfile.TemporaryDirectory[str]] = {}
        self._users: Counter[str] = Counter()
        self._filling = Lock()

    @contextmanager
    def use(
        self,
        name: str,
        *,
        sharing: str,
        mode: int,
        owner: tuple[int, int],
        fill: Callable[[str], None],
    ) -> Iterator[str]:
        with self._filling:
            if name not in self._directories:
                directory = tempfile.TemporaryDirectory(prefix="img-cache-")
                fill(directory.name)
                self._directories[name] = directory
        self._users[name] += 1
        try:
            yield self._directories[name].name
        finally:
            self._users[name] -= 1

    @contextmanager
    def files(self, name: str) -> Iterator[Iterator[PackedEntry]]:
        directory = self._directories.get(name)
        yield iter(()) if directory is None else _entries_in(Path(directory.name))

    def kept(self, *, measured: bool = True) -> Sequence[KeptDirectory]:
        return [
            KeptDirectory(id=name, name=name, size=0, used=0.0, in_use=self._users[name] > 0)
            for name in self._directories
        ]

    def remove(self, id_: str) -> bool:
        directory = None if self._users[id_] else self._directories.pop(id_, None)
        if directory is not None:
            directory.cleanup()
        return directory is not None


def _entries_in(root: Path) -> Iterator[PackedEntry]:
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_dir():
            yield PackedEntry(entry=Entry(name, DIRECTORY, 0o755))
        elif content := path.read_bytes():
            entry = Entry(name, FILE, 0o644, size=len(content))
            yield PackedEntry(entry=entry, open=partial(io.BytesIO, content))
        else:
            yield PackedEntry(entry=Entry(name, FILE, 0o644))
