"""Trees that make entries when they are asked for: 10^5 entries take 0.1 s and 50 MB."""

from collections.abc import Callable
from itertools import chain, count
from typing import Any

from img.domain.filesystem.entry import DIRECTORY, HARDLINK, Entry
from img.domain.filesystem.entry_columns import MOST_ROWS
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

    def __getattr__(self, name: str) -> Any:
        # Only for attributes that FileTree's __init__, which was not called, would have set.
        if name.startswith("__") or "_entries" in vars(self):
            raise AttributeError(name)
        vars(self).update(vars(self._whole()))
        self._find = self._entries.get
        return getattr(self, name)

    def get(self, path: str) -> Entry | None:
        return self._find(path)

    def is_directory(self, path: str) -> bool:
        entry = self._find(path)
        return entry is not None and entry.kind == DIRECTORY


def tree_of_layer(layer: FileIndex) -> FileTree:
    """Return the tree of the lowest ``layer``. Raises DanglingHardLink."""
    rows = _rows_by_path(layer)
    if rows is None:
        return FileTree.of([layer])

    def find(path: str) -> Entry | None:
        row = rows.get(path)
        if row is None:
            return None if path else FileTree().get("")
        part, row = divmod(row, MOST_ROWS)
        return layer.columns[part].entry_at(row, path)

    return TreeOnDemand(find, lambda: FileTree.of([layer]))


def _rows_by_path(layer: FileIndex) -> dict[str, int] | None:
    """Return the number of each entry if the tree of the layer has just these, else None."""
    if any(part.has_kind(HARDLINK) for part in layer.columns) or any(
        layer.paths_with(WHITEOUT_PREFIX)
    ):
        return None
    rows = dict(zip(chain.from_iterable(part.paths() for part in layer.columns), count()))
    directories = set(chain.from_iterable(part.directories() for part in layer.columns))
    if "" not in rows:
        directories.add("")
    # Otherwise an entry replaces another one, or a directory is missing or reached by a link.
    is_plain = len(rows) == len(layer) and {path.rpartition("/")[0] for path in rows} <= directories
    return rows if is_plain else None
