"""Runs Exec: a process in the root its inputs make, and the layer of what it changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from img.application.ports.blob_store import BlobStore
from img.application.ports.executor import Cancellation, Executor, OutputSink
from img.application.ports.layer_archive import LayerArchive, PackedEntry
from img.application.ports.snapshotter import SnapshotLayer, Snapshotter, Workspace
from img.application.solver.results import Stack
from img.application.trees import Trees
from img.domain.digest import Digest
from img.domain.errors import BuildError
from img.domain.filesystem.entry import FILE, Entry
from img.domain.graph.cache_key import content_key
from img.domain.graph.operations import Exec
from img.domain.oci.chain import Layer, chain_ids_of
from img.domain.process import FileMount, Process


class StepCanceled(BuildError):
    """A step that was stopped because another failed, or because the user asked."""

    def __init__(self) -> None:
        super().__init__("context canceled")


class ProcessFailed(BuildError):
    """A RUN whose command ended with a status other than 0."""

    def __init__(self, argv: tuple[str, ...], status: int) -> None:
        command = " ".join(argv)
        super().__init__(f'process "{command}" did not complete successfully: exit code: {status}')
        self.argv = argv
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecuteProcess:
    """Makes the layer of a RUN."""

    executor: Executor
    snapshotter: Snapshotter
    archive: LayerArchive
    blobs: BlobStore
    trees: Trees

    def content_key(self, operation: Exec, root: Stack) -> Digest:
        """Return the key that depends on the root's contents, not on how they came to be."""
        return content_key(operation, root.content)

    def __call__(
        self, operation: Exec, root: Stack, output: OutputSink, cancelled: Cancellation
    ) -> Layer:
        """Run the process and return the layer of its changes; an empty one if there are none.

        Raises ProcessFailed, ProcessNotStarted, StepCanceled, ExecutorUnavailable, and what
        unpacking the root raises.
        """
        _refuse_what_is_missing(operation)
        with self._workspace(root) as workspace:
            if cancelled.is_set():
                raise StepCanceled
            status = self.executor.run(_process(operation), workspace.root, output, cancelled)
            if cancelled.is_set():
                raise StepCanceled
            if not status.success:
                raise ProcessFailed(operation.argv, status.code)
            return self._commit(operation, root, workspace)

    @contextmanager
    def _workspace(self, root: Stack) -> Iterator[Workspace]:
        chains = chain_ids_of(layer.diff_id for layer in root.layers)
        workspace = self.snapshotter.prepare(
            [
                self._snapshot_layer(layer, chain)
                for layer, chain in zip(root.layers, chains, strict=True)
            ]
        )
        try:
            yield workspace
        finally:
            workspace.discard()

    def _snapshot_layer(self, layer: Layer, chain: Digest) -> SnapshotLayer:
        return SnapshotLayer(
            chain_id=chain,  # type: ignore[arg-type]
            index=self.trees.index_of(layer),
            open=lambda: self.blobs.open(layer.descriptor.digest),
        )

    def _commit(self, operation: Exec, root: Stack, workspace: Workspace) -> Layer:
        changes = workspace.changes(self.trees.of(root.layers))
        packed = self.archive.pack(
            (_packed(entry, workspace) for entry in changes),
            self.blobs.writer(),
            epoch=operation.epoch,
        )
        self.trees.indexes.put(packed.layer.diff_id, packed.index)
        diff_ids = [layer.diff_id for layer in (*root.layers, packed.layer)]
        workspace.commit(chain_ids_of(diff_ids)[-1], packed.index)
        return packed.layer


def _packed(entry: Entry, workspace: Workspace) -> PackedEntry:
    if entry.kind != FILE or entry.size == 0:
        return PackedEntry(entry=entry)
    return PackedEntry(entry=entry, open=lambda: workspace.open(entry.path))


def _process(operation: Exec) -> Process:
    return Process(
        argv=operation.argv,
        env={**dict(operation.hidden_env), **dict(operation.env)},
        cwd=operation.cwd,
        user=operation.user,
        network=operation.network,
        mounts=tuple(
            FileMount(
                target=f"/dev/pipes/{file.name}", content=file.content.encode(), mode=file.mode
            )
            for file in operation.files
        ),
        hosts=operation.hosts,
        shm_size=operation.shm_size,
        ulimits=operation.ulimits,
        insecure=operation.insecure,
    )


def _refuse_what_is_missing(operation: Exec) -> None:
    for mount in operation.mounts:
        raise BuildError(
            f"RUN --mount=type={mount.type} is not supported yet",
            hint="this version of img builds RUN without mounts",
        )
