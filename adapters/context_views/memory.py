"""Views that record requests, for tests."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from img.application.ports.cache_mounts import KeptDirectory
from img.application.ports.context_views import ContextViews
from img.application.ports.layer_archive import PackedEntry
from img.domain.process import DirectoryRoot


class MemoryContextViews(ContextViews):
    """Views that read all files, as a copying view would, and keep their contents by path."""

    def __init__(self) -> None:
        self.shown: list[dict[str, bytes]] = []

    @contextmanager
    def shared(self, files: Sequence[PackedEntry]) -> Iterator[DirectoryRoot]:
        yield self._read(files, "shared")

    @contextmanager
    def private(self, files: Sequence[PackedEntry]) -> Iterator[DirectoryRoot]:
        yield self._read(files, "private")

    def kept(self, *, measured: bool = True) -> Sequence[KeptDirectory]:
        return ()

    def remove(self, id_: str) -> bool:
        return False

    def _read(self, files: Sequence[PackedEntry], kind: str) -> DirectoryRoot:
        contents = {}
        for each in files:
            if each.open is not None:
                with each.open() as content:
                    contents[each.entry.path] = content.read()
        self.shown.append(contents)
        return DirectoryRoot(path=f"/views/{kind}/{len(self.shown)}")
