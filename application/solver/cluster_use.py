"""The use of a cluster by a build: which steps other machines can run, and what they need."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import field, fields, replace

from img.application.layers.mount_records import MountRecords
from img.application.layers.on_demand import Layers
from img.application.layers.shared import SharedLayers
from img.application.solver.results import Result, Stack
from img.application.solver.share_mounts import shared_names
from img.application.solver.steps.copy_files import CopyStep
from img.application.solver.steps.execute import ExecStep
from img.application.solver.steps.make_directory import MakeDirectoryStep
from img.application.solver.steps.step import Step
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import StateError
from img.domain.graph.operations import Exec, FetchGit
from img.domain.graph.task import KeptMount, TaskInput, TaskOperation, VertexTask
from img.domain.graph.vertex import Vertex
from img.domain.oci.chain import Layer
from img.domain.platform import Platform

_SENT = {
    *("argv", "env", "cwd", "user", "network", "insecure", "mounts", "hosts", "shm_size"),
    *("ulimits", "files", "hidden_env", "epoch", "hostname", "platform"),
}
"""The fields of a RUN that mean the same on each machine. Others keep a step here: what is new is
not sent before somebody has looked at it."""

_OF_CLIENT = {each.name for each in fields(Exec)} - _SENT
_MOUNTS = {"bind", "cache", "tmpfs"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterUse:
    """Tasks for workers, and the layers that they need.

    With ``secrets`` workers get those of their steps; agents stay here.
    """

    shared: SharedLayers
    layers: Layers
    platform: Platform  # of this machine, for steps that name none
    retries: int = 0
    limit_s: float | None = None
    secrets: bool = False
    secret_guard: bool = False
    mounts: MountRecords | None = None  # None: workers do not exchange cache mounts
    mount_limit: int = 0  # bytes of each
    _offered: set[Digest] = field(default_factory=set)
    _origins: dict[Digest, tuple[str, ...]] = field(default_factory=dict)

    def task(self, step: Step, vertex: Vertex, inputs: Sequence[Result]) -> VertexTask | None:
        """Return the step as a task, None if only this process can run it.

        The layers that a worker can have from nowhere else are in the shared store then. Raises
        BuildError, BlobNotFound, the errors of the shared store.
        """
        found = _movable(step, inputs) if self.is_movable(step) else None
        if found is None:
            return None
        operation, stacks = found
        layers = {layer.descriptor.digest: layer for each in stacks for layer in each.layers}
        self._offer_own(layers)
        kept = self._mounts_of(operation)
        return VertexTask(
            name=vertex.name,
            operation=operation,
            inputs=tuple(map(_input, stacks)),
            ignore_cache=vertex.ignore_cache,
            platform=(operation.platform or self.platform) if isinstance(operation, Exec) else None,
            origins=tuple(
                (digest, known) for digest in layers if (known := self._repositories(digest))
            ),
            store=str(self.shared.place),
            retries=self.retries,
            limit_ms=None if self.limit_s is None else max(1, round(self.limit_s * 1000)),
            needs_secrets=isinstance(operation, Exec)
            and any(mount.type == "secret" for mount in operation.mounts),
            secret_guard=self.secret_guard,
            mounts=tuple(each for each in kept if each.layers),
            mount_limit=self.mount_limit if kept else 0,
        )

    def checkout(self, operation: FetchGit, commit: str, name: str) -> VertexTask:
        """Return the checkout of a commit as a task."""
        return VertexTask(
            name=name,
            operation=replace(operation, checksum=commit),
            inputs=(),
            store=str(self.shared.place),
        )

    def is_movable(self, step: Step) -> bool:
        """Return whether a worker can run the step. It reads no files and shares none."""
        match step:
            case MakeDirectoryStep():
                return True
            case CopyStep():
                return all(isinstance(each, Stack) for each in step.sources)
            case ExecStep():
                return self.sends(step.operation)
            case _:
                return False

    def sends(self, operation: Exec) -> bool:
        """Return whether a RUN means the same on a worker: it has no files of this machine."""
        types = {*_MOUNTS, "secret"} if self.secrets else _MOUNTS
        return all(mount.type in types for mount in operation.mounts) and not any(
            getattr(operation, name) for name in _OF_CLIENT
        )

    def keeps_agent(self, step: Step) -> bool:
        """Return whether a step stays here for an SSH agent alone, as its secrets may leave."""
        return (
            self.secrets
            and isinstance(step, ExecStep)
            and any(mount.type == "ssh" for mount in step.operation.mounts)
        )

    def note_kept(self, operation: Exec, mounts: Iterable[KeptMount]) -> None:
        """Record where the files of the cache mounts of a RUN are."""
        names = shared_names(operation)
        for each in mounts:
            if self.mounts is not None and each.name in names:
                with suppress(StateError):  # full: the next worker begins with older files
                    self.mounts.note(str(self.shared.place), each)

    def _mounts_of(self, operation: TaskOperation) -> Sequence[KeptMount]:
        """Return the known layers of the cache mounts that machines exchange."""
        if self.mounts is None or not isinstance(operation, Exec):
            return ()
        store = str(self.shared.place)
        return [
            KeptMount(name=name, layers=self.mounts.layers(store, name))
            for name in shared_names(operation)
        ]

    def share(self, layers: Iterable[Layer]) -> None:
        """Fetch the layers if need be, and add them to the shared store.

        Raises the errors of ``Layers.bring`` and of the shared store.
        """
        wanted = list(layers)
        self.layers.bring(wanted)
        self.shared.offer(wanted)

    def _offer_own(self, layers: Mapping[Digest, Layer]) -> None:
        """Share the layers that were made here: others are in the shared store or a registry."""
        new = {digest: layer for digest, layer in layers.items() if digest not in self._offered}
        own = [
            layer
            for digest, layer in new.items()
            if not self._repositories(digest) and self.layers.are_here([layer])
        ]
        self.shared.offer(own)
        self._offered.update(new)

    def _repositories(self, digest: Digest) -> tuple[str, ...]:
        if digest not in self._origins:
            self._origins[digest] = tuple(self.shared.origins.repositories(digest))
        return self._origins[digest]


def _movable(step: Step, inputs: Sequence[Result]) -> tuple[TaskOperation, Sequence[Stack]] | None:
    """Return the operation and its inputs as layers, None if it needs this process."""
    match step:
        case MakeDirectoryStep() | CopyStep():
            stacks = [each for each in inputs if isinstance(each, Stack)]
            return step.operation, stacks
        case ExecStep():
            packed = _packed_inputs(step, inputs)
            return None if packed is None else (step.operation, packed)
        case _:
            return None


def _packed_inputs(step: ExecStep, inputs: Sequence[Result]) -> Sequence[Stack] | None:
    """Return the inputs of a RUN; the files of a context that it mounts are packed as a layer.

    None if several mounts show different parts of one context.
    """
    stacks: list[Stack] = []
    for number, given in enumerate(inputs):
        if isinstance(given, Stack):
            stacks.append(given)
            continue
        places = [place for place, each in enumerate(step.operation.mounts) if each.input == number]
        if len({step.operation.mounts[place].source for place in places}) != 1:
            return None
        stacks.append(step.sources[places[0]].layers())
    return stacks


def _input(stack: Stack) -> TaskInput:
    return TaskInput(
        key=stack.key,
        layers=stack.layers,
        below=tuple(stack.below.items()),
        dated=stack.dated,
    )


def stack_from(given: TaskInput) -> Stack:
    """Return the stack of an input of a task."""
    return Stack(key=given.key, layers=given.layers, below=dict(given.below), dated=given.dated)
