"""Runs Exec: a process in the root its inputs make, and the layer of what it changed."""

from collections.abc import Mapping

from img.application.cancellation import StepCanceled
from img.application.layers.trees import Trees
from img.application.log import logger
from img.application.ports.blob_store import BlobStore
from img.application.ports.executor import Cancellation, Executor, OutputSink
from img.application.ports.layer_archive import LayerArchive, PackedEntry
from img.application.ports.snapshotter import Workspace
from img.application.solver.masking import MaskedOutput
from img.application.solver.mounts import MountAll, Mounted, Shown
from img.application.solver.results import Result, Stack
from img.application.solver.roots import Roots
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import BuildError
from img.domain.filesystem.entry import FILE, Entry
from img.domain.graph.cache_key import content_key, definition_key
from img.domain.graph.operations import Exec
from img.domain.oci.chain import Layer, chain_ids_of
from img.domain.process import ExitStatus, FileMount, Process

log = logger("execute")


class ProcessFailed(BuildError):
    """A RUN whose command ended with a status other than 0."""

    def __init__(self, argv: tuple[str, ...], status: ExitStatus) -> None:
        command = " ".join(argv)
        why = ": cannot allocate memory" if status.out_of_memory else ""  # BuildKit's words
        super().__init__(
            f'process "{command}" did not complete successfully: exit code: {status.code}{why}',
            hint="the kernel killed it for using more than --memory" if why else None,
        )
        self.argv = argv
        self.status = status.code


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecuteProcess:
    """Makes the layers of RUN."""

    executor: Executor
    roots: Roots
    mount: MountAll
    archive: LayerArchive
    blobs: BlobStore
    trees: Trees

    def prepare(self, operation: Exec, root: Stack, inputs: Mapping[int, Result]) -> "Execution":
        """Return the step, what its mounts show selected. Raises BuildError."""
        _refuse_what_is_missing(operation)
        return Execution(
            parts=self,
            operation=operation,
            root=root,
            shown=self.mount.shown(operation, inputs),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One RUN, its inputs known."""

    parts: ExecuteProcess
    operation: Exec
    root: Stack
    shown: Mapping[int, Shown]

    def definition_key(self) -> Digest:
        """Return the key of the operation and of what its inputs were made from."""
        shown = (self.shown[place].definition for place in sorted(self.shown))
        return definition_key(self.operation, (self.root.key, *shown))

    def content_key(self) -> Digest:
        """Return the key of the operation and of what its inputs hold."""
        shown = (self.shown[place].content for place in sorted(self.shown))
        return content_key(self.operation, self.root.content, *shown)

    def run(self, output: OutputSink, cancelled: Cancellation) -> Layer:
        """Run the process and return the layer of its changes; an empty one if there are none.

        Raises ProcessFailed, ProcessNotStarted, StepCanceled, ExecutorUnavailable, and what
        unpacking the root raises.
        """
        self.parts.executor.require()
        with (
            self.parts.mount(self.operation, self.shown) as mounted,
            self.parts.roots.workspace(self.root) as workspace,
        ):
            if cancelled.is_set():
                raise StepCanceled
            masked = MaskedOutput(output, mounted.secrets)
            process = _process(self.operation, mounted)
            try:
                status = self.parts.executor.run(process, workspace.root, masked, cancelled)
            finally:
                masked.end()
            log.debug("process ended", argv=list(process.argv), status=status.code)
            if cancelled.is_set():
                raise StepCanceled
            if not status.success:
                raise ProcessFailed(self.operation.argv, status)
            return self._commit(workspace)

    def _commit(self, workspace: Workspace) -> Layer:
        changes = workspace.changes(self.parts.trees.of(self.root.layers))
        packed = self.parts.archive.pack(
            (_packed(entry, workspace) for entry in changes),
            self.parts.blobs.writer(),
            epoch=self.operation.epoch,
        )
        self.parts.trees.indexes.put(packed.layer.diff_id, packed.index)
        diff_ids = [layer.diff_id for layer in (*self.root.layers, packed.layer)]
        workspace.commit(chain_ids_of(diff_ids)[-1], packed.index)
        return packed.layer


def _packed(entry: Entry, workspace: Workspace) -> PackedEntry:
    if entry.kind != FILE or entry.size == 0:
        return PackedEntry(entry=entry)
    return PackedEntry(entry=entry, open=lambda: workspace.open(entry.path))


def _process(operation: Exec, mounted: Mounted) -> Process:
    scripts = (
        FileMount(
            target=f"/dev/pipes/{file.name}",
            content=file.content.encode("utf-8", "surrogateescape"),
            mode=file.mode,
        )
        for file in operation.files
    )
    return Process(
        argv=operation.argv,
        env={**dict(operation.hidden_env), **dict(operation.env), **mounted.env},
        cwd=operation.cwd,
        user=operation.user,
        network=operation.network,
        mounts=(*scripts, *mounted.mounts),
        hostname=operation.hostname,
        hosts=operation.hosts,
        shm_size=operation.shm_size,
        ulimits=operation.ulimits,
        insecure=operation.insecure,
    )


def _refuse_what_is_missing(operation: Exec) -> None:
    if operation.devices:
        raise BuildError(
            f"RUN --device={operation.devices[0]} is not supported",
            hint="img hands no devices on",
        )
    if operation.insecure:
        raise BuildError("entitlement security.insecure is not allowed")
