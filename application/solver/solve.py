"""One vertex: looked up in the cache, else run."""

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from threading import Event
from typing import TYPE_CHECKING

from img.application.cancellation import StepCanceled
from img.application.log import logger
from img.application.ports.cache_store import CacheRecord
from img.application.ports.clock import Clock
from img.application.ports.progress_sink import ProgressSink
from img.application.solver.build_group import BuildGroup
from img.application.solver.lookup import Lookup
from img.application.solver.observer import StepObserver, Unobserved, facts_of, is_recorded
from img.application.solver.progress import StepProgress, input_ids, vertex_id
from img.application.solver.results import (
    Result,
    Stack,
    contents_of,
    provenance_of,
    stack_of,
)
from img.application.solver.schedule import ON_CLUSTER, THREADS
from img.application.solver.skip_cached_stages import PrunedGraph, SkipCachedStages
from img.application.solver.so_far import SoFar
from img.application.solver.steps.make import BuildInputs, MakeSteps
from img.application.solver.steps.pull_base import PullLayers
from img.application.solver.steps.step import Step
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import ImgError, SourceError
from img.domain.graph.cache_key import definition_key
from img.domain.graph.operations import Exec, FetchGit, FetchUrl
from img.domain.graph.vertex import Graph, Plan, Vertex
from img.domain.oci.chain import Layer

if TYPE_CHECKING:
    from img.application.ports.vertex_workers import VertexWorkers
    from img.application.solver.cluster_use import ClusterUse
    from img.domain.graph.task import VertexAnswer

log = logger("solver")


@dataclass(frozen=True, slots=True, kw_only=True)
class Solver:
    """Turns vertices into results; with a ``cluster``, ``workers`` are on other machines."""

    lookup: Lookup
    pull: PullLayers
    steps: MakeSteps
    skip: SkipCachedStages
    workers: "VertexWorkers"
    clock: Clock
    progress: ProgressSink
    observer: StepObserver = Unobserved()
    cluster: "ClusterUse | None" = None

    def at_once(self) -> int:
        """Return the number of vertices to solve at the same time."""
        return THREADS if self.cluster is None else ON_CLUSTER

    def for_build(
        self,
        plan: Plan,
        inputs: BuildInputs,
        cancelled: Event,
        so_far: SoFar,
        label: str = "",
        *,
        group: BuildGroup,
        all_keys: bool = False,
        whole: bool = False,
    ) -> "BuildSolver":
        """Return a solver of one image's vertices.

        ``so_far`` has the results of the build for other platforms. ``label`` distinguishes the
        progress of the images of one build. ``group`` are the builds at the same time. With
        ``all_keys`` results have all the keys that find
        them, even if one key found them. With ``whole`` no stage is left out that only cached
        steps use.
        """
        return BuildSolver(
            parts=self,
            pruned=PrunedGraph(graph=plan.graph)
            if whole
            else self.skip(plan.graph, plan.target, inputs, so_far, cancelled),
            inputs=inputs,
            cancelled=cancelled,
            so_far=so_far,
            group=group,
            all_keys=all_keys,
            label=label,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSolver:
    """Solves the vertices of one image, each when its inputs are solved (schedule.Solve)."""

    parts: Solver
    pruned: PrunedGraph
    inputs: BuildInputs
    cancelled: Event
    so_far: SoFar
    group: BuildGroup
    all_keys: bool = False
    label: str = ""
    _running: Event = field(default_factory=Event)  # set once a step was run

    @property
    def graph(self) -> Graph:
        """The vertices to solve."""
        return self.pruned.graph

    def __call__(self, position: int, inputs: Sequence[Result]) -> Result:
        """Return the result of the vertex at ``position``.

        Raises what its step raises; a BuildError without lines gets those of the instruction.
        """
        vertex = self.graph.vertices[position]
        progress = StepProgress(
            self.parts.progress,
            vertex_id(self.label, position),
            vertex.name,
            self.cancelled,
            input_ids(self.graph, position, self.label),
        )
        try:
            result = self._solve(position, vertex, inputs, progress)
        except StepCanceled:
            progress.canceled()
            raise
        except ImgError as error:
            if isinstance(error, SourceError) and error.lines is None:
                error.lines = vertex.lines
            progress.failed(error.message)
            kept: Layer | None = getattr(error, "kept", None)  # of a RUN
            if kept is not None:
                self._keep(vertex, inputs, kept)
            self._observe(position, vertex, inputs, None, kept)
            raise
        self._observe(position, vertex, inputs, result)
        return result

    def _keep(self, vertex: Vertex, inputs: Sequence[Result], kept: Layer) -> None:
        keys = [each.key if isinstance(each, Stack) else None for each in inputs]
        name = vertex.name.partition("] ")[2] or vertex.name
        key = definition_key(vertex.operation, keys)
        self.parts.lookup.remember_failed(key, kept, name, self.parts.clock.now())

    def _observe(
        self,
        position: int,
        vertex: Vertex,
        inputs: Sequence[Result],
        result: Result | None,
        kept: Layer | None = None,
    ) -> None:
        if not self.parts.observer.observes:
            return
        if is_recorded(vertex):
            facts = facts_of(vertex, self.label, inputs, result, kept)
            self.parts.observer.solved(vertex_id(self.label, position), facts)

    def unsolved(self) -> Mapping[int, Stack]:
        """Return the vertices that need not be solved, without the layers of their roots."""
        stacks = {}
        for position, key in self.pruned.keys.items():
            record = self.parts.lookup.known(key)
            if record is not None:
                stacks[position] = Stack(key=key).with_result(key, record)
        return stacks

    def _solve(
        self, position: int, vertex: Vertex, inputs: Sequence[Result], progress: StepProgress
    ) -> Result:
        if position in self.pruned.alone:
            self.note_cached(progress)
            key, record = self.pruned.keys[position], self.pruned.found[position]
            return stack_of(inputs[0]).with_result(key, record)
        if self.cancelled.is_set():
            raise StepCanceled
        step = self.parts.steps(position, vertex, inputs, self.inputs, self.cancelled)
        if isinstance(step, Step):
            return _Solving(self, position, vertex, inputs, step, progress).solve()
        if isinstance(vertex.operation, FetchUrl | FetchGit):
            with self.group.step(definition_key(vertex.operation, ()), self.cancelled):
                return step.solve(progress)
        return step.solve(progress)

    def note_running(self, progress: StepProgress, worker: str) -> None:
        """Show that a step is run; record uses before, as it may take long."""
        self._running.set()
        self._note_used()
        progress.started(worker)

    def note_cached(self, progress: StepProgress) -> None:
        """Show that the result of a step was found."""
        if self._running.is_set():
            self._note_used()
        progress.cached()

    def _note_used(self) -> None:
        """Keep results of this build from being deleted meanwhile (housekeeping/inventory.py)."""
        self.parts.lookup.note_used(self.parts.clock.now(), again=True)


@dataclass(frozen=True, slots=True)
class _Solving:
    """One step, looked up by its keys, else run and recorded."""

    build: BuildSolver
    position: int
    vertex: Vertex
    inputs: Sequence[Result]
    step: Step
    progress: StepProgress

    @property
    def root(self) -> Stack:
        return stack_of(self.inputs[0])

    def solve(self) -> Stack:
        """Return the root with the layer of the step on it. Raises what the step raises."""
        quick = self.step.quick_key()
        if (found := self._by_alias(quick)) is not None:
            return found
        first = self.step.reads_much()
        key = quick if first else self.step.definition_key()
        if key is None:  # files that nothing identifies before they are read
            return self._run_first()
        with self.build.group.step(key, self.build.cancelled):
            if first and (found := self._by_alias(quick)) is not None:
                return found  # another build of the group has made it meanwhile
            solved = self._run_first() if first else self._look_up_first()
            if quick is not None:
                now = self.build.parts.clock.now()
                self.build.parts.lookup.remember_alias(quick, solved.key, now)
        return solved

    def _by_alias(self, quick: Digest | None) -> Stack | None:
        if quick is None or self.build.all_keys:
            return None
        definition = self.build.parts.lookup.definition_of(quick)
        record = None if definition is None else self._by_definition(definition)
        if definition is None or record is None:
            return None
        self.build.note_cached(self.progress)
        return self.root.with_result(definition, record)

    def _look_up_first(self) -> Stack:
        lookup, definition = self.build.parts.lookup, self.step.definition_key()
        record = self._by_definition(definition)
        if record is None and not self.vertex.ignore_cache and not self._reads_elsewhere:
            record = lookup(self.step.content_key())
            if record is not None:
                record = self._remember(record, definition)
        found = record is not None
        log.debug("looked up", step=self.vertex.name, key=str(definition), found=found)
        if record is not None:
            self.build.note_cached(self.progress)
        else:
            record = self._record(self._run(), definition)
        content = (self.step.content_key(),) if self.build.all_keys else ()
        return self.root.with_result(definition, record, *content)

    def _run_first(self) -> Stack:
        """Pack the files without reading them before; packing computes their digests."""
        answer = self._run()
        definition = self.step.definition_key()
        record = self._record(answer, definition)
        return self.root.with_result(definition, record, self.step.content_key())

    def _by_definition(self, definition: Digest) -> CacheRecord | None:
        """Return the result of the definition key that was made from these inputs."""
        contents = contents_of(self.inputs)
        made = self.build.so_far.made(definition, contents)
        if made is not None or self.vertex.ignore_cache:
            return made
        found = self.build.pruned.found.get(self.position)
        return found or self.build.parts.lookup.by_definition(definition, contents)

    def _run(self) -> "VertexAnswer":
        """Run the step where the workers are; progress shows its start."""
        from img.application.solver.step_work import StepWork  # only where a step is run

        parts = self.build.parts
        work = StepWork(
            step=self.step,
            vertex=self.vertex,
            inputs=self.inputs,
            progress=self.progress,
            on_start=self.build.note_running,
            cluster=parts.cluster,
        )
        answer = parts.workers.run(work, self.build.cancelled)
        if answer.worker and answer.layer is not None and parts.cluster is not None:
            parts.cluster.shared.note([answer.layer.descriptor.digest])
        if answer.cached:
            self.build.note_cached(self.progress)
        return answer

    @property
    def _reads_elsewhere(self) -> bool:
        """True if the content key is left to a worker, which has the files that it depends on."""
        cluster = self.build.parts.cluster
        if cluster is None or not self.step.key_reads_layers():
            return False
        return cluster.is_movable(self.step)

    def _record(self, answer: "VertexAnswer", definition: Digest) -> CacheRecord:
        """Return the record of the new layer, or one that another build has made meanwhile.

        So concurrent builds continue with the same result.
        """
        content, parts = answer.content or self.step.content_key(), self.build.parts
        record = None if self.vertex.ignore_cache else parts.lookup.stored(content)
        if record is None:
            name = self.vertex.name
            record = CacheRecord(
                layer=answer.layer,
                created=answer.created or parts.clock.now(),
                description=name.partition("] ")[2] or name,
            )
        record = self._remember(record, definition, content)
        self.build.so_far.note_made(definition, record)
        if not answer.cached:
            self.progress.done()
        return record

    def _remember(self, record: CacheRecord, definition: Digest, *contents: Digest) -> CacheRecord:
        record = replace(record, made_from=provenance_of(self.root, self.inputs[1:]))
        operation = self.vertex.operation
        if isinstance(operation, Exec) and not operation.is_cacheable:
            return record
        self.build.parts.lookup.remember(record, *contents, definition=definition)
        return record
