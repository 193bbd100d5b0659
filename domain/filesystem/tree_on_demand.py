"""Trees that make entries when they are asked for: 10^5 entries take 0.1 s and 50 MB."""

from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate, chain, compress, count
from typing import Any

from img.domain.filesystem.entry import DIRECTORY, HARDLINK, Entry
from img.domain.filesystem.file_index import WHITEOUT_PREFIX, FileIndex
from img.domain.filesystem.tree import FileTree


class TreeOnDemand(FileTree):
    """A tree that looks up single entries by ``find``.

    What needs more than single entries is answered by ``whole``, the same tree with all of them,
    which is made only then.
    """

    def __init__(self, find: Callable[[str], Entry | None], whole: Callable[[], FileTree]) -> None:
        self._find = find
        self._whole = whole
        self._layers = {}  # all entries are in the bottom layer
        self._closed = {}

    def __getattr__(self, name: str) -> Any:
        # Only for attributes that FileTree's __init__, which was not called, would have set.
        if name.startswith("__") or "_entries" in vars(self):
            raise AttributeError(name)
        self.load()
        return getattr(self, name)

    def load(self) -> None:
        """Make all entries."""
        vars(self).update(vars(self._whole()))
        self._find = self._entries.get

    def get(self, path: str) -> Entry | None:
        return self._find(path)

    def is_directory(self, path: str) -> bool:
        entry = self._find(path)
        return entry is not None and entry.kind == DIRECTORY


def tree_of_layer(layer: FileIndex) -> FileTree:
    """Return the tree of the lowest ``layer``. Raises DanglingHardLink."""
    if any(part.has_kind(HARDLINK) for part in layer.columns):
        return FileTree.of([layer])
    return _LayerTree(layer)


class _LayerTree(TreeOnDemand):
    """The tree of one layer, which has no hard links."""

    def __init__(self, layer: FileIndex) -> None:
        super().__init__(self._entry, lambda: FileTree.of([layer]))
        self._layer = layer
        self._rows: dict[str, int] | None = None
        self._starts = [*accumulate((part.size for part in layer.columns), initial=0)]

    def _entry(self, path: str) -> Entry | None:
        """Return the entry at ``path``. Raises TooManyLinks."""
        if self._rows is None:  # many trees are walked and never asked for an entry
            self._rows = _rows_by_path(self._layer)
            if self._rows is None:
                self.load()
                return self.get(path)
        row = self._rows.get(path)
        if row is None:
            return None if path else FileTree().get("")
        part = bisect_right(self._starts, row) - 1
        return self._layer.columns[part].entry_at(row - self._starts[part], path)


def _rows_by_path(layer: FileIndex) -> dict[str, int] | None:
    """Return the number of each entry if the tree of the layer has just these, else None."""
    if any(layer.paths_with(WHITEOUT_PREFIX)):
        return None
    paths = [*chain.from_iterable(part.paths() for part in layer.columns)]
    rows = dict(zip(paths, count(), strict=False))
    are_directories = chain.from_iterable(part.are_directories() for part in layer.columns)
    directories = set(compress(paths, are_directories))
    if "" not in rows:
        directories.add("")
    # Otherwise an entry replaces another one, or a directory is missing or reached by a link.
    parents = {path.rpartition("/")[0] for path in paths}
    return rows if len(rows) == len(paths) and parents <= directories else None
