"""The tree of a walk."""

from collections.abc import Iterable, Iterator

from img.adapters.build_context.context_walk import Seen, Walk, read_xattrs
from img.application.ports.file_digest_store import KnownFile
from img.domain.filesystem.entry import DIRECTORY, FILE, Entry
from img.domain.filesystem.tree import FileTree
from img.domain.filesystem.tree_on_demand import TreeOnDemand

_NO_DEVICE = (0, 0)


class WalkedTree(TreeOnDemand):
    """The files of a walk. Each lookup of a regular file makes its entry from what the walk saw."""

    def __init__(
        self, seen: Walk, known: Iterable[tuple[str, KnownFile | None]], root: str
    ) -> None:
        """Make the tree of ``seen``, with digests and xattrs of ``known`` files without changes."""
        super().__init__(self._entry, self._of_files)
        self.files: dict[str, Seen] = {}  # regular files by path
        self.gone: set[str] = set()  # known files that do not exist any more
        self._closed: dict[str, str] = {}
        self._others: dict[str, Entry] = {}
        self._paths: dict[str, list[str]] = {}  # of the files in each directory
        # Only of files that have them:
        self._digests: dict[str, str] = {}
        self._xattrs: dict[str, tuple[tuple[str, bytes], ...]] = {}
        self._numbers: dict[str, int] = {}  # of a file with several names
        links: dict[tuple[int, int], int] = {}  # (device, inode) -> number of the linked file
        for part in seen.parts():
            self._closed.update(part.closed)
            self._add_others(part.others)
            self._add_files(part.files, links)
        self._sorted_closed = sorted(self._closed)
        self._add_known(known)
        self._read_xattrs(root)

    def names(self, path: str) -> list[str]:
        start = len(path) + 1 if path else 0
        return sorted([each[start:] for each in self._paths.get(path, ())])

    def _add_others(self, others: Iterable[Entry]) -> None:
        for entry in others:
            self._others[entry.path] = entry
            if entry.kind == DIRECTORY:
                self._paths[entry.path] = []
            if entry.path:
                self._paths[entry.path.rpartition("/")[0]].append(entry.path)

    def _add_files(self, seen: Iterable[Seen], links: dict[tuple[int, int], int]) -> None:
        files, paths = self.files, self._paths
        for file in seen:
            path = file[0]
            files[path] = file
            paths[path.rpartition("/")[0]].append(path)
            if file[7] != 1:
                # Two names of one file get one number, as those in a layer have one offset.
                self._numbers[path] = links.setdefault((file[2], file[3]), len(links))

    def _add_known(self, known: Iterable[tuple[str, KnownFile | None]]) -> None:
        get, digests, xattrs = self.files.get, self._digests, self._xattrs
        for path, before in known:
            file = get(path)
            if file is None:
                (self.gone.discard if before is None else self.gone.add)(path)
                continue
            kept = file[0]  # one object for equal paths
            if before is not None and before[0] == file[2:7]:
                digests[kept] = before[1]
                if before[2]:
                    xattrs[kept] = before[2]
                continue
            digests.pop(kept, None)
            xattrs.pop(kept, None)

    def _read_xattrs(self, root: str) -> None:
        """Read the attributes of the files that have no known digest."""
        for path in self.files.keys() - self._digests.keys():
            if found := read_xattrs(f"{root}/{path}"):
                self._xattrs[path] = found

    def _entry(self, path: str) -> Entry | None:
        file = self.files.get(path)
        if file is None:
            return self._others.get(path)
        path, mode, _, _, size, mtime, _, _ = file
        xattrs = self._xattrs.get(path, ())
        digest, number = self._digests.get(path, ""), self._numbers.get(path, -1)
        row = (path, FILE, mode, 0, 0, size, mtime, "", _NO_DEVICE, xattrs, digest, number)
        # Bypasses the NamedTuple's own __new__: there may be 10^6 files.
        return tuple.__new__(Entry, row)

    def _of_files(self) -> FileTree:
        return FileTree.of_files(self._entries_in_order(), self._closed)

    def _entries_in_order(self) -> Iterator[Entry]:
        yield from self._others.values()
        for path in self.files:
            entry = self._entry(path)
            assert entry is not None
            yield entry
