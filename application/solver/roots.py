"""Root file systems of layer stacks for processes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import field

from img.application.layers.trees import Trees
from img.application.ports.snapshotter import SnapshotLayer, Snapshotter, Workspace
from img.application.solver.results import Stack
from img.domain.dataclass import dataclass
from img.domain.oci.chain import ChainID, Layer, chain_ids_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Roots:
    """Workspaces on layer stacks."""

    snapshotter: Snapshotter
    trees: Trees
    _brought: set[ChainID] = field(default_factory=set)

    @contextmanager
    def workspace(self, stack: Stack) -> Iterator[Workspace]:
        """Enter with a writable root of ``stack``, which is deleted at the end unless committed.

        Raises SnapshotterUnavailable, InvalidLayer, BlobNotFound, StoreFull.
        """
        chains = chain_ids_of(layer.diff_id for layer in stack.layers)
        self._bring(stack.layers, chains)
        workspace = self.snapshotter.prepare(
            [
                self._snapshot_layer(layer, chain)
                for layer, chain in zip(stack.layers, chains, strict=True)
            ],
            self.trees.of(stack.layers),
        )
        try:
            yield workspace
        finally:
            workspace.discard()

    def _bring(self, layers: Sequence[Layer], chains: Sequence[ChainID]) -> None:
        """Fetch the layers without a snapshot, all at once.

        Layers of earlier steps are not looked for again: if one was deleted meanwhile, it is
        fetched when it is opened.
        """
        new = {
            chain: layer
            for layer, chain in zip(layers, chains, strict=True)
            if chain not in self._brought
        }
        if not self.trees.layers.are_here(new.values()):
            unpacked = set(self.snapshotter.chain_ids())
            self.trees.layers.bring(new[chain] for chain in new if chain not in unpacked)
        self._brought.update(new)

    def _snapshot_layer(self, layer: Layer, chain: ChainID) -> SnapshotLayer:
        return SnapshotLayer(
            chain_id=chain,
            index=self.trees.index_of(layer),
            open=lambda: self.trees.layers.open(layer),
        )
