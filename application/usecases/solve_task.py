"""Steps of builds of other machines, on a worker of a cluster."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import Event
from typing import NoReturn

from img.application.cancellation import StepCanceled
from img.application.layers.on_demand import LayerLost, Layers
from img.application.layers.shared import SharedLayers, ShareLayers
from img.application.log import logger
from img.application.ports.blob_origins import BlobOrigins
from img.application.ports.blob_store import BlobNotFound
from img.application.ports.cluster import LayersMissing, TaskWatch, WorkerUnfit
from img.application.ports.executor import Cancellation
from img.application.ports.progress_sink import ProgressSink
from img.application.ports.registry import RegistryError
from img.application.ports.secret_source import SecretSource
from img.application.ports.state_lock import StateLock
from img.application.solver.build_group import BuildGroup
from img.application.solver.cluster_use import stack_from
from img.application.solver.results import Result, Stack
from img.application.solver.share_mounts import ShareMounts, shared_names
from img.application.solver.skip_cached_stages import PrunedGraph
from img.application.solver.so_far import SoFar
from img.application.solver.solve import BuildSolver, Solver
from img.application.solver.steps.make import BuildInputs
from img.domain.dataclass import dataclass
from img.domain.errors import BuildError, HostError, ImgError, StateError
from img.domain.graph.operations import Exec
from img.domain.graph.task import KeptMount, VertexAnswer, VertexTask
from img.domain.graph.vertex import Graph, Vertex
from img.domain.options.cluster_store import parse_cluster_store
from img.domain.progress import Event as ProgressEvent
from img.domain.progress import VertexCached, VertexOutput

log = logger("cluster")


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveTask:
    """One task: looked up in the cache of this machine, else run and recorded there."""

    solver: Solver
    share: ShareLayers
    layers: Layers
    origins: BlobOrigins
    lock: StateLock
    mounts: ShareMounts

    def __call__(self, task: VertexTask, watch: TaskWatch, cancelled: Event) -> VertexAnswer:
        """Return the result; its layer is in the shared store.

        Raises the error of the step, StepCanceled; LayersMissing for inputs that cannot be fetched;
        WorkerUnfit if this machine cannot run the step.
        """
        try:
            with self.lock.working():
                return self._answer(task, watch, cancelled)
        except (HostError, StateError) as error:  # no executor, a full disk …
            raise WorkerUnfit("", error) from error

    def _answer(self, task: VertexTask, watch: TaskWatch, cancelled: Event) -> VertexAnswer:
        shared = self.share(parse_cluster_store(task.store))
        for digest, repositories in task.origins:
            for repository in repositories:
                self.origins.add(repository, [digest])
        sink = _Watched(watch)
        secrets = GivenSecrets(watch.secrets() if task.needs_secrets else {})
        stacks = tuple(map(stack_from, task.inputs))
        try:
            solved = self._solved(task, stacks, secrets, sink, cancelled)
        except (BlobNotFound, LayerLost, RegistryError) as error:
            self._raise_missing(stacks, shared, error)
        if solved.own is not None:
            shared.offer([solved.own])
        content = solved.found_by[-1] if len(solved.found_by) > 1 else None
        return VertexAnswer(
            layer=solved.own,
            created=solved.created,
            content=content,
            cached=sink.cached,
            keeps=task.mount_limit > 0 and not sink.cached,
        )

    def keep(self, task: VertexTask, cancelled: Cancellation) -> Sequence[KeptMount]:
        """Add the cache mounts of a step that has ended to the shared store; return those added.

        It raises no error of the exchange: mounts are caches.
        """
        assert isinstance(task.operation, Exec)
        kept = []
        for name in shared_names(task.operation):
            try:
                with self.lock.working():
                    shared = self.share(parse_cluster_store(task.store))
                    mount = self.mounts.keep(name, shared, task.mount_limit, cancelled)
            except StepCanceled:
                break
            except (ImgError, OSError) as error:
                log.warning("cache mount is not kept", reason=str(error))
                continue
            if mount is not None:
                kept.append(mount)
        return kept

    def _solved(
        self,
        task: VertexTask,
        stacks: Sequence[Result],
        secrets: "GivenSecrets",
        sink: ProgressSink,
        cancelled: Event,
    ) -> Stack:
        vertex = Vertex(operation=task.operation, name=task.name, ignore_cache=task.ignore_cache)
        steps = self.solver.steps
        limit_s = None if task.limit_ms is None else task.limit_ms / 1000
        execute = replace(
            steps.execute,
            mount=replace(
                steps.execute.mount,
                secrets=secrets,
                imported=self.mounts.given(task.store, task.mounts),
            ),
            retries=task.retries,
            limit_s=limit_s,
            secret_guard=task.secret_guard,
        )
        build = BuildSolver(
            parts=replace(self.solver, steps=replace(steps, execute=execute), progress=sink),
            pruned=PrunedGraph(graph=Graph((vertex,))),
            inputs=BuildInputs(contexts=_no_context, bases={}),
            cancelled=cancelled,
            so_far=SoFar(),
            group=BuildGroup(),
            all_keys=True,
        )
        solved = build(0, stacks)
        assert isinstance(solved, Stack)
        return solved

    def _raise_missing(
        self,
        stacks: Sequence[Stack],
        shared: SharedLayers,
        error: BlobNotFound | LayerLost | RegistryError,
    ) -> NoReturn:
        """Raise LayersMissing if a layer of inputs is neither here nor shared, else ``error``."""
        layers = {layer.descriptor.digest: layer for each in stacks for layer in each.layers}
        missing = [
            digest
            for digest, layer in layers.items()
            if not self.layers.are_here([layer]) and not shared.has(layer)
        ]
        if missing:
            raise LayersMissing("", missing, error.message) from error
        raise error


class GivenSecrets(SecretSource):
    """The secrets of one step, which the client has sent; there is no agent."""

    def __init__(self, values: Mapping[str, bytes]) -> None:
        self._values = values

    def secret(self, secret_id: str) -> bytes | None:
        return self._values.get(secret_id)

    @contextmanager
    def agent(self, agent_id: str, *, mode: int, uid: int, gid: int) -> Iterator[str | None]:
        yield None


class _Watched(ProgressSink):
    """The progress of a task, for its watch."""

    def __init__(self, watch: TaskWatch) -> None:
        self._watch = watch
        self.cached = False

    def emit(self, event: ProgressEvent) -> None:
        match event:
            case VertexOutput():
                self._watch.output(event.stream, event.data)
            case VertexCached():
                self.cached = True
            case _:
                pass

    def close(self) -> None:
        """Do nothing: the task has other ends."""


def _no_context(name: str, _cancelled: object) -> Result:
    raise BuildError(f"a task has no build context {name}")
