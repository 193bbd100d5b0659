"""Runs MakeDirectory: the layer of a WORKDIR."""

from collections.abc import Sequence

from img.application.layers.trees import Trees
from img.application.ports.blob_store import BlobStore
from img.application.ports.clock import Clock
from img.application.ports.layer_archive import LayerArchive, PackedEntry
from img.application.solver.owners import Owners
from img.application.solver.progress import StepProgress
from img.application.solver.results import Result, Stack, stack_of
from img.application.solver.steps.step import Step
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import BuildError
from img.domain.filesystem import paths
from img.domain.filesystem.changes import refuse_reserved
from img.domain.filesystem.entry import DIRECTORY, Entry
from img.domain.filesystem.parents import made_below, missing_parents
from img.domain.graph.cache_key import content_key, definition_key
from img.domain.graph.operations import MakeDirectory
from img.domain.oci.chain import Layer


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeDirectoryLayer:
    """Layers with a directory and its parents; a layer is empty if they exist."""

    archive: LayerArchive
    blobs: BlobStore
    trees: Trees
    owners: Owners
    clock: Clock

    def step(self, operation: MakeDirectory, inputs: Sequence[Result]) -> "MakeDirectoryStep":
        """Return the step on the first of ``inputs``. Raises BuildError."""
        return MakeDirectoryStep(parts=self, operation=operation, root=stack_of(inputs[0]))

    def content_key(self, operation: MakeDirectory, root: Stack) -> Digest:
        """Return the key of the directories that the layer will hold, without their times."""
        rows = [
            f"{entry.path}\1{entry.mode:o}\1{entry.uid}:{entry.gid}\1{entry.xattrs}"
            for entry in self._missing(operation, root)
        ]
        return content_key(operation, Digest.of("\0".join(rows).encode("utf-8", "surrogateescape")))

    def __call__(self, operation: MakeDirectory, root: Stack) -> Layer:
        """Return the layer. Raises BuildError for a path that leads through a file."""
        packed = self.archive.pack(
            (PackedEntry(entry=entry) for entry in self._missing(operation, root)),
            self.blobs.writer(),
            epoch=operation.epoch,
        )
        self.trees.indexes.put(packed.layer.diff_id, packed.index)
        return packed.layer

    def _missing(self, operation: MakeDirectory, root: Stack) -> list[Entry]:
        tree = self.trees.of(root.layers)
        path = tree.resolve(operation.path)
        absent = [at for at in (*paths.ancestors(path), path) if at and not tree.is_directory(at)]
        for at in absent:
            refuse_reserved(at)
            if tree.get(at) is not None:
                raise BuildError(f"cannot make directory {operation.path}: /{at} is a file")
        if not absent:
            return []
        uid, gid = self.owners.of(operation.owner, root) if operation.owner else (0, 0)
        now = int(self.clock.now().timestamp()) * 10**9
        above = tree.get(paths.parent(absent[0]))
        assert above is not None
        made = []
        for at in absent:
            new = Entry(at, DIRECTORY, 0o755, uid, gid, mtime=now)
            above = made_below(above, new, chosen=bool(operation.owner))
            made.append(above)
        parents = missing_parents([(entry.path, now) for entry in made], tree)
        return sorted([*parents, *made])


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeDirectoryStep(Step):
    """One WORKDIR."""

    parts: MakeDirectoryLayer
    operation: MakeDirectory
    root: Stack

    def definition_key(self) -> Digest:
        return definition_key(self.operation, (self.root.key,))

    def content_key(self) -> Digest:
        return self.parts.content_key(self.operation, self.root)

    def run(self, progress: StepProgress) -> Layer:
        return self.parts(self.operation, self.root)
