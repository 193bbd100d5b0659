"""Runs Exec: a process in a root file system, and the layer of its changes."""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from img.application.cancellation import Deadline, StepCanceled
from img.application.layers.trees import Trees
from img.application.log import logger
from img.application.ports.blob_store import BlobStore
from img.application.ports.executor import Executor, ProcessNotStarted
from img.application.ports.layer_archive import LayerArchive, PackedEntry, PackedLayer
from img.application.ports.snapshotter import Workspace
from img.application.solver.progress import StepProgress
from img.application.solver.results import Result, Stack, stack_of
from img.application.solver.roots import Roots
from img.application.solver.steps.mounts import MountSource, PreparedMounts, PrepareMounts
from img.application.solver.steps.step import Step
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import BuildError, ImgError
from img.domain.filesystem.entry import FILE, Entry
from img.domain.go.formatting import quoted
from img.domain.graph.cache_key import content_key, definition_key
from img.domain.graph.operations import Exec
from img.domain.oci.chain import Layer, chain_ids_of
from img.domain.process import ExitStatus, FileMount, Process

log = logger("execute")

_STDERR = 2
_GUARDED = Digest.of(b"secret guard")


class ProcessFailed(BuildError):
    """The command of a RUN ended with a status other than 0."""

    def __init__(self, argv: tuple[str, ...], status: ExitStatus) -> None:
        command = quoted(" ".join(argv))
        why = ": cannot allocate memory" if status.out_of_memory else ""  # BuildKit's words
        super().__init__(
            f"process {command} did not complete successfully: exit code: {status.code}{why}",
            hint="the kernel killed it for using more than --memory" if why else None,
        )
        self.argv = argv
        self.status = status.code
        self.kept: Layer | None = None  # what it changed, if that was kept


class ProcessTooSlow(BuildError):
    """The command of a RUN did not end in the time that the user allows."""

    def __init__(self, argv: tuple[str, ...], limit_s: float) -> None:
        super().__init__(
            f"process {quoted(' '.join(argv))} did not end within {limit_s:g} s",
            hint="give --timeout more time",
        )
        self.limit_s = limit_s
        self.kept: Layer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecuteProcess:
    """Layers of RUN."""

    executor: Executor
    roots: Roots
    mount: PrepareMounts
    archive: LayerArchive
    blobs: BlobStore
    trees: Trees
    retries: int = 0  # of a command that fails
    limit_s: float | None = None  # for each try of a command; None: no limit
    keep_failed: bool = False  # keep the changes of the last try
    secret_guard: bool = False  # refuse changes that have the value of a secret

    def step(self, operation: Exec, inputs: Sequence[Result]) -> "ExecStep":
        """Return the step on the first of ``inputs``. Raises BuildError."""
        _refuse_unsupported(operation)
        return ExecStep(
            parts=self,
            operation=operation,
            root=stack_of(inputs[0]),
            sources=self.mount.sources(operation, dict(enumerate(inputs))),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecStep(Step):
    """One RUN."""

    parts: ExecuteProcess
    operation: Exec
    root: Stack
    sources: Mapping[int, MountSource]  # of mounts with files, by their place in the operation

    def definition_key(self) -> Digest:
        sources = (self.sources[place].definition for place in sorted(self.sources))
        return definition_key(self.operation, (self.root.key, *sources, *self._guarded))

    def key_reads_layers(self) -> bool:
        return bool(self.sources)

    def content_key(self) -> Digest:
        sources = (self.sources[place].content for place in sorted(self.sources))
        return content_key(self.operation, self.root.content, *sources, *self._guarded)

    @property
    def _guarded(self) -> tuple[Digest, ...]:
        """A part of the keys: a guarded step does not take a layer that was not searched."""
        has_secrets = any(mount.type == "secret" for mount in self.operation.mounts)
        return (_GUARDED,) if self.parts.secret_guard and has_secrets else ()

    def secrets(self) -> Mapping[str, bytes]:
        """Return the secrets that the mounts name, by name, as far as there are some."""
        names = {mount.id for mount in self.operation.mounts if mount.type == "secret"}
        values = {name: self.parts.mount.secrets.secret(name) for name in sorted(names)}
        return {name: value for name, value in values.items() if value is not None}

    def run(self, progress: StepProgress) -> Layer:
        """Run the process and return the layer of its changes, empty if there are none.

        Each try begins with the files before the step; directories of cache mounts keep theirs.
        Raises ProcessFailed, ProcessTooSlow, ProcessNotStarted, StepCanceled, ExecutorUnavailable,
        and the errors of Roots.workspace.
        """
        self.parts.executor.require()
        retries = self.parts.retries
        for number in range(1, retries + 1):
            try:
                return self._run_once(progress, keep=False)
            except (ProcessFailed, ProcessTooSlow) as error:
                text = f"{error.message}; retry {number} of {retries}\n"
                progress.output(_STDERR, text.encode("utf-8", "replace"))
        return self._run_once(progress, keep=self.parts.keep_failed)

    def _run_once(self, progress: StepProgress, *, keep: bool) -> Layer:
        with (
            self.parts.mount(self.operation, self.sources) as mounts,
            self.parts.roots.workspace(self.root) as workspace,
        ):
            _raise_if_cancelled(progress)
            try:
                status = self._status(mounts, workspace, progress)
                _raise_if_cancelled(progress)
                if not status.success:
                    raise ProcessFailed(self.operation.argv, status)
            except (ProcessFailed, ProcessTooSlow, ProcessNotStarted) as error:
                if keep:
                    with suppress(ImgError):  # such as a full disk: the step's own error counts
                        # A step may write a secret to a file that it deletes in the end.
                        error.kept = self._packed(workspace, mounts, guarded=True).layer
                raise
            return self._commit(workspace, mounts)

    def _status(
        self, mounts: PreparedMounts, workspace: Workspace, progress: StepProgress
    ) -> ExitStatus:
        """Run the process to its end."""
        from img.application.solver.masking import MaskedOutput  # only where a step is run

        masked = MaskedOutput(progress.output, mounts.secrets.values())
        process = process_of(self.operation, mounts)
        limit_s = self.parts.limit_s
        end_s = math.inf if limit_s is None else time.monotonic() + limit_s
        deadline = Deadline(progress.cancelled, end_s)
        cancelled = progress.cancelled if limit_s is None else deadline
        try:
            status = self.parts.executor.run(process, workspace.root, masked, cancelled)
        finally:
            masked.end()
        if limit_s is not None and not status.success and deadline.has_passed:
            _raise_if_cancelled(progress)
            raise ProcessTooSlow(self.operation.argv, limit_s)
        log.debug("process ended", argv=list(process.argv), status=status.code)
        return status

    def _commit(self, workspace: Workspace, mounts: PreparedMounts) -> Layer:
        packed = self._packed(workspace, mounts, guarded=self.parts.secret_guard)
        diff_ids = [layer.diff_id for layer in (*self.root.layers, packed.layer)]
        workspace.commit(chain_ids_of(diff_ids)[-1], packed.index)
        return packed.layer

    def _packed(
        self, workspace: Workspace, mounts: PreparedMounts, *, guarded: bool
    ) -> PackedLayer:
        """Store the changes as a layer. Raises SecretLeaked if ``guarded``."""
        changes = workspace.changes(self.parts.trees.of(self.root.layers))
        entries: Iterable[PackedEntry] = (_packed(entry, workspace) for entry in changes)
        if guarded and mounts.secrets:
            from img.application.solver.steps.secret_guard import SecretGuard

            entries = map(
                SecretGuard(mounts.secrets, warns=self.parts.secret_guard).checked, entries
            )
        packed = self.parts.archive.pack(
            entries,
            self.parts.blobs.writer(),
            epoch=self.operation.epoch,
        )
        self.parts.trees.indexes.put(packed.layer.diff_id, packed.index)
        return packed


def _raise_if_cancelled(progress: StepProgress) -> None:
    if progress.cancelled.is_set():
        raise StepCanceled


def _packed(entry: Entry, workspace: Workspace) -> PackedEntry:
    if entry.kind != FILE or entry.size == 0:
        return PackedEntry(entry=entry)
    return PackedEntry(entry=entry, open=lambda: workspace.open(entry.path))


def process_of(operation: Exec, prepared: PreparedMounts) -> Process:
    """Return the process of a RUN with its prepared mounts."""
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
        env={**dict(operation.hidden_env), **dict(operation.env), **prepared.env},
        cwd=operation.cwd,
        user=operation.user,
        network=operation.network,
        mounts=(*operation.volumes, *scripts, *prepared.mounts),
        hostname=operation.hostname,
        hosts=operation.hosts,
        shm_size=operation.shm_size,
        ulimits=operation.ulimits,
        insecure=operation.insecure,
    )


def _refuse_unsupported(operation: Exec) -> None:
    if operation.devices:
        raise BuildError(
            f"RUN --device={operation.devices[0]} is not supported",
            hint="img hands no devices on",
        )
    if operation.insecure:
        raise BuildError("entitlement security.insecure is not allowed")
