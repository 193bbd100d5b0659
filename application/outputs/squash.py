"""Several layers merged to one, with the same files."""

from collections.abc import Iterator, Sequence
from functools import partial

from img.application.layers.trees import Trees
from img.application.ports.blob_store import BlobStore
from img.application.ports.cache_store import CacheRecord
from img.application.ports.clock import Clock
from img.application.ports.layer_archive import LayerArchive, PackedEntry
from img.application.ports.scratch_space import ScratchSpace
from img.application.solver.lookup import Lookup
from img.application.solver.results import Stack
from img.application.solver.sources import StackSource
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.filesystem.changes import Found, changes_of
from img.domain.filesystem.entry import FILE, Entry
from img.domain.filesystem.tree import FileTree
from img.domain.oci.chain import Layer

_NO_KEY = Digest.of(b"")  # not a key of the cache


@dataclass(frozen=True, slots=True, kw_only=True)
class SquashLayers:
    """One layer in place of several, made once and kept in the cache."""

    archive: LayerArchive
    blobs: BlobStore
    trees: Trees
    scratch: ScratchSpace
    lookup: Lookup
    clock: Clock

    def __call__(self, layers: Sequence[Layer], base: int) -> tuple[Layer, ...]:
        """Return the lowest ``base`` layers, and one with the changes of all others.

        The changes are those that a single step would have made: files that were made and deleted
        are in no layer. Raises BlobNotFound, InvalidLayer, StoreFull.
        """
        kept, merged = tuple(layers[:base]), layers[base:]
        if not merged:
            return kept
        names = " ".join(str(layer.diff_id) for layer in layers)
        key = Digest.of(f"squash {base} {names}".encode())
        known = self.lookup(key)
        if known is not None and known.layer is not None:
            return (*kept, known.layer)
        below, tree = self.trees.of(kept), self.trees.of(layers)
        packed = self.archive.pack(
            self._packed(tuple(layers), tree, _changes(below, tree)), self.blobs.writer()
        )
        self.trees.indexes.put(packed.layer.diff_id, packed.index)
        record = CacheRecord(
            layer=packed.layer, created=self.clock.now(), description="squashed layer"
        )
        self.lookup.remember(record, key)
        return (*kept, packed.layer)

    def _packed(
        self, layers: tuple[Layer, ...], tree: FileTree, entries: Sequence[Entry]
    ) -> Iterator[PackedEntry]:
        source = StackSource(Stack(key=_NO_KEY, layers=layers), self.trees, self.scratch)
        opened = source.contents(
            entry.path for entry in entries if entry.kind == FILE and entry.size
        )
        for entry in entries:
            yield PackedEntry(entry=entry, open=partial(opened, entry.path))


def _changes(below: FileTree, tree: FileTree) -> Sequence[Entry]:
    found = [
        Found(entry, inode=id(names) if len(names := tree.linked(entry.path)) > 1 else None)
        for entry in tree.walk("")
    ]
    deleted = [entry.path for entry in below.walk("") if tree.get(entry.path) is None]

    def digest(path: str) -> str:
        entry = tree.get(path)
        return "" if entry is None else entry.digest

    return changes_of(below, found, deleted, digest)
