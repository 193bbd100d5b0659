"""Root file systems in dicts, for tests."""

import hashlib
import io
import itertools
from collections.abc import Sequence
from typing import BinaryIO

from img.application.ports.layer_archive import LayerArchive
from img.application.ports.snapshotter import SnapshotLayer, Snapshotter, Workspace
from img.domain.filesystem import paths
from img.domain.filesystem.changes import Found, changes_of
from img.domain.filesystem.entry import DIRECTORY, FILE, Entry
from img.domain.filesystem.file_index import FileIndex
from img.domain.filesystem.tree import FileTree
from img.domain.oci.chain import ChainID
from img.domain.process import DirectoryRoot


class MemorySnapshotter(Snapshotter):
    """Roots without real files, for tests, which describe a step's changes by method calls.

    A scripted executor finds the workspace of its process as ``snapshotter.workspaces[root.path]``.
    """

    def __init__(self, archive: LayerArchive) -> None:
        self.workspaces: dict[str, MemoryWorkspace] = {}
        self._archive = archive
        self._committed: dict[ChainID, FileIndex] = {}
        self._numbers = itertools.count(1)

    def prepare(self, layers: Sequence[SnapshotLayer], base: FileTree) -> "MemoryWorkspace":
        path = f"/memory/{next(self._numbers)}"
        workspace = MemoryWorkspace(path, layers, base, self._archive, self._committed)
        self.workspaces[path] = workspace
        return workspace

    def chain_ids(self) -> Sequence[ChainID]:
        return list(self._committed)

    def usage(self, chain_id: ChainID) -> int:
        layer = self._committed.get(chain_id)
        return sum(entry.size for entry in layer) if layer is not None else 0

    def remove(self, chain_id: ChainID) -> None:
        self._committed.pop(chain_id, None)


class MemoryWorkspace(Workspace):
    """Entries and contents by path. Missing parents are created; the mtimes of parents stay."""

    def __init__(
        self,
        path: str,
        layers: Sequence[SnapshotLayer],
        base: FileTree,
        archive: LayerArchive,
        committed: dict[ChainID, FileIndex],
    ) -> None:
        self._path = path
        self._layers = layers
        self._archive = archive
        self._committed = committed
        self._tree = base
        self._entries = {entry.path: entry for entry in self._tree.walk("")}
        self._names = {name: names for names in self._tree.linked_files() for name in names}
        self._contents: dict[str, bytes] = {}
        self._sources: dict[str, str] = {}  # new names of the base's files -> old ones
        self.discarded = False

    @property
    def root(self) -> DirectoryRoot:
        return DirectoryRoot(path=self._path)

    def write(self, path: str, content: bytes = b"", mode: int = 0o644, mtime: int = 0) -> None:
        """Create or overwrite a regular file under all its names; ``mtime`` in nanoseconds."""
        digest = hashlib.sha256(content).hexdigest()
        entry = Entry(path, FILE, mode, size=len(content), mtime=mtime, digest=digest)
        for name in self._names.get(path, {path}):
            self.put(entry._replace(path=name))
            self._contents[name] = content

    def put(self, entry: Entry) -> None:
        """Create or change a file so that it matches ``entry``."""
        for parent in paths.ancestors(entry.path):
            self._entries.setdefault(parent, Entry(parent, DIRECTORY, 0o755))
        self._entries[entry.path] = entry

    def link(self, path: str, target: str) -> None:
        """Give the regular file ``target`` one more name."""
        names = {path, *self._names.get(target, {target})}
        self._names |= dict.fromkeys(names, names)
        self.put(self._entries[target]._replace(path=path))
        self._sources[path] = self._sources.get(target, target)
        if target in self._contents:
            self._contents[path] = self._contents[target]

    def remove(self, path: str) -> None:
        """Delete ``path`` and all below it."""
        for name in [name for name in self._entries if name == path or name.startswith(f"{path}/")]:
            del self._entries[name]
            self._names = {n: names - {name} for n, names in self._names.items() if n != name}

    def changes(self, base: FileTree) -> tuple[Entry, ...]:
        found = (Found(entry, self._inode(path)) for path, entry in self._entries.items())
        gone = (entry.path for entry in base.walk("") if entry.path not in self._entries)
        return changes_of(base, found, gone, lambda path: self._entries[path].digest)

    def open(self, path: str) -> BinaryIO:
        if path in self._contents:
            return io.BytesIO(self._contents[path])
        entry = self._entries[path]
        layer = self._layers[self._tree.layer_of(self._sources.get(path, path))]
        with layer.open() as blob:
            for _, content in self._archive.contents(blob, {entry.offset: entry.size}):
                return io.BytesIO(content.read())
        raise FileNotFoundError(path)

    def commit(self, chain_id: ChainID, layer: FileIndex) -> None:
        self._committed[chain_id] = layer

    def discard(self) -> None:
        self.discarded = True

    def _inode(self, path: str) -> str | None:
        names = self._names.get(path, ())
        return min(names) if len(names) > 1 else None
