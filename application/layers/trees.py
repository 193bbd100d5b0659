"""File trees of layer stacks, loaded once."""

import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import field
from threading import Lock
from typing import TYPE_CHECKING

from img.application.layers.on_demand import Layers
from img.application.ports.blob_store import BlobDamaged
from img.application.ports.build_context import LARGEST_DOCKERFILE, FileTooLarge
from img.application.ports.index_store import IndexStore
from img.application.ports.layer_archive import InvalidLayer, LayerArchive
from img.domain.dataclass import dataclass
from img.domain.filesystem.entry import FILE, Entry
from img.domain.filesystem.file_index import FileIndex
from img.domain.filesystem.tree import FileTree
from img.domain.oci.chain import ChainID, DiffID, Layer, chain_ids_of

if TYPE_CHECKING:
    from img.domain.filesystem.member_table import MemberTable

_KEPT = 4  # trees
_KEPT_ENTRIES = 200_000  # of indexes; those of a kept tree take no room of their own


@dataclass(frozen=True, slots=True, kw_only=True)
class Trees:
    """File trees of layer stacks, made from the indexes of the layers."""

    layers: Layers
    indexes: IndexStore
    archive: LayerArchive
    _known: dict[ChainID, FileTree] = field(default_factory=dict)
    _indexes: dict[DiffID, FileIndex] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def index_of(self, layer: Layer) -> FileIndex:
        """Return the layer's entries; a lost index is made again.

        Raises the errors of Layers.bring.
        """
        index = self._known_index(layer)
        if index is None:
            self.layers.bring([layer])
            index = self._known_index(layer) or self._new_index(layer)
        return index

    def members_of(self, layer: Layer) -> "MemberTable | None":
        """Return the table of the blob of the layer, None if it has none."""
        index = self._indexes.get(layer.diff_id)
        table = self.indexes.members(layer.diff_id) if index is None else index.members
        return table if table is not None and table.blob == layer.descriptor.digest else None

    def _known_index(self, layer: Layer) -> FileIndex | None:
        index = self._indexes.get(layer.diff_id)
        if index is None:
            index = self.indexes.get(layer.diff_id)
            if index is not None:
                self._keep_index(layer.diff_id, index)
        return index

    def _new_index(self, layer: Layer) -> FileIndex:
        with self.layers.open(layer) as content:
            diff_id, index = self.archive.index(content, layer.descriptor.digest)
        if diff_id != layer.diff_id:
            raise InvalidLayer(
                f"layer {layer.descriptor.digest} unpacks to {diff_id}, not {layer.diff_id}"
            )
        self.indexes.put(diff_id, index)
        self._keep_index(diff_id, index)
        return index

    def read_file(self, layers: Sequence[Layer], path: str) -> bytes | None:
        """Return a small file of a stack after following links, None if it is not a regular file.

        Raises FileTooLarge.
        """
        tree = self.of(layers)
        path = tree.resolve(path)
        entry = tree.get(path)
        if entry is None or entry.kind != FILE:
            return None
        if entry.size > LARGEST_DOCKERFILE:  # a hostile image may have a large /etc/passwd
            raise FileTooLarge(path)
        return self.read_entry(layers[tree.layer_of(path)], entry)

    def read_entry(self, layer: Layer, entry: Entry) -> bytes:
        """Return the content of a small file of the layer. Raises BlobDamaged, InvalidLayer."""
        members = self.members_of(layer)
        if members is not None:
            # The table may be wrong, and the blob sound.
            with contextlib.suppress(BlobDamaged, InvalidLayer):
                return self._content(layer, entry, members)
        return self._content(layer, entry, None)

    def _content(self, layer: Layer, entry: Entry, members: "MemberTable | None") -> bytes:
        with self.layers.open(layer) as blob:
            wanted = {entry.offset: entry.size}
            for _, content in self.archive.contents(blob, wanted, members):
                found = content.read()
                # The blob is not read to its end, so its own digest is not verified.
                if entry.digest in ("", hashlib.sha256(found).hexdigest()):
                    return found
        raise BlobDamaged(layer.descriptor.digest)

    def of(self, layers: Sequence[Layer]) -> FileTree:
        """Return the tree of a stack, lowest layer first. Raises the errors of Layers.bring."""
        if not layers:
            return FileTree()
        from img.domain.filesystem.tree_on_demand import tree_of_layer  # no cached step needs it

        chains = chain_ids_of(layer.diff_id for layer in layers)
        # All at once, and without holding the lock meanwhile.
        unknown = layers[self._nearest(chains)[0] :]
        self.layers.bring([each for each in unknown if self._known_index(each) is None])
        with self._lock:
            depth, tree = self._nearest(chains)
            for layer in layers[depth:]:
                index = self.index_of(layer)
                tree = tree_of_layer(index) if tree is None else tree.with_layer(index)
            assert tree is not None
            self._keep(chains[-1], tree)
        return tree

    def _nearest(self, chains: Sequence[ChainID]) -> tuple[int, FileTree | None]:
        """Return the highest known tree, and the number of layers that it has."""
        for depth in range(len(chains), 0, -1):
            if (tree := self._known.get(chains[depth - 1])) is not None:
                return depth, tree
        return 0, None

    def _keep_index(self, diff_id: DiffID, index: FileIndex) -> None:
        """Keep the indexes that were loaded last: each step uses those of its whole stack."""
        self._indexes[diff_id] = index
        kept = list(self._indexes.items())
        entries = sum(len(each) for _, each in kept)
        for oldest, each in kept[:-1]:
            if entries > _KEPT_ENTRIES:
                self._indexes.pop(oldest, None)
                entries -= len(each)

    def _keep(self, chain: ChainID, tree: FileTree) -> None:
        """Keep the trees that were used last: one of a large base takes 50 MB."""
        self._known.pop(chain, None)
        self._known[chain] = tree
        while len(self._known) > _KEPT:
            del self._known[next(iter(self._known))]
