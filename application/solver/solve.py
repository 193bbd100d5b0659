"""One vertex: looked up, else done."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from threading import Event

from img.application.cancellation import StepCanceled, cancelled_by
from img.application.log import logger
from img.application.planning.resolve import ResolvedBase
from img.application.ports.cache_store import CacheRecord
from img.application.ports.clock import Clock
from img.application.ports.progress_sink import ProgressSink
from img.application.solver.contexts import OpenContext
from img.application.solver.copy_files import CopyIntoLayer
from img.application.solver.execute import ExecuteProcess
from img.application.solver.fetch_sources import FetchSources, canceled_steps
from img.application.solver.lookup import Lookup
from img.application.solver.make_directory import MakeDirectoryLayer
from img.application.solver.pull_base import PullLayers
from img.application.solver.results import (
    Result,
    Stack,
    contents_of,
    provenance_of,
    stack_of,
)
from img.application.solver.skip_cached_stages import Foresee, Foreseen
from img.application.solver.so_far import SoFar
from img.application.solver.vertex_progress import VertexProgress
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import ImgError, SourceError
from img.domain.graph.cache_key import definition_key
from img.domain.graph.operations import (
    CopyFiles,
    Exec,
    FetchGit,
    FetchUrl,
    MakeDirectory,
    PullBase,
    ReadContext,
    Scratch,
)
from img.domain.graph.vertex import Graph, Plan, Vertex
from img.domain.oci.chain import Layer

Work = Callable[[], Layer]

log = logger("solver")


@dataclass(frozen=True, slots=True, kw_only=True)
class Solver:
    """Turns vertices into results; what it needs for one kind of operation is a field each."""

    lookup: Lookup
    pull: PullLayers
    fetch: FetchSources
    copy: CopyIntoLayer
    make_directory: MakeDirectoryLayer
    execute: ExecuteProcess
    foresee: Foresee
    clock: Clock
    progress: ProgressSink

    def for_build(
        self,
        plan: Plan,
        contexts: OpenContext,
        bases: Mapping[Digest, ResolvedBase],
        cancelled: Event,
        so_far: SoFar,
        eager: frozenset[int] = frozenset(),
        label: str = "",
        *,
        all_keys: bool = False,
    ) -> "BuildSolver":
        """Return a solver of one image's vertices. ``bases`` are found by manifest digest.

        ``so_far`` is what the build has come to for other platforms.
        Those at ``eager`` positions are fetched at once, others when somebody needs their files.
        ``label`` tells the build's progress from that of others at the same time. With
        ``all_keys`` results say by which keys they are found, even where one of them did.
        """
        foreseen = self.foresee(plan.graph, plan.target, contexts, bases, so_far, cancelled)
        return BuildSolver(
            parts=self,
            graph=foreseen.graph,
            foreseen=foreseen,
            contexts=contexts,
            bases=bases,
            cancelled=cancelled,
            so_far=so_far,
            eager=eager,
            all_keys=all_keys,
            progress=VertexProgress(sink=self.progress, label=label),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSolver:
    """Solves the vertices of one build, each when its inputs are there (schedule.Solve)."""

    parts: Solver
    graph: Graph
    contexts: OpenContext
    bases: Mapping[Digest, ResolvedBase]
    cancelled: Event
    so_far: SoFar
    eager: frozenset[int] = frozenset()  # bases that are needed whatever comes
    all_keys: bool = False
    foreseen: Foreseen
    progress: VertexProgress
    _making: Event = field(default_factory=Event)

    def __call__(self, position: int, inputs: Sequence[Result]) -> Result:
        """Return what the vertex at ``position`` comes to.

        Raises what its operation raises; a BuildError without lines gets the instruction's.
        """
        vertex = self.graph.vertices[position]
        try:
            if position in self.foreseen.alone:
                return self._found(position, vertex, inputs)
            if self.cancelled.is_set():
                raise StepCanceled
            with cancelled_by(self.cancelled):
                return self._solve(position, vertex, inputs)
        except StepCanceled:
            self.progress.canceled(position)
            raise
        except ImgError as error:
            if isinstance(error, SourceError) and error.lines is None:
                error.lines = vertex.lines
            self.progress.failed(position, vertex, error.message)
            raise

    def not_looked_at(self) -> Mapping[int, Stack]:
        """Return what is known of vertices that need not be solved: all but the layers below."""
        stacks = {}
        for position, key in self.foreseen.keys.items():
            record = self.parts.lookup.known(key)
            if record is not None:
                stacks[position] = Stack(key=key).with_result(key, record)
        return stacks

    def _found(self, position: int, vertex: Vertex, inputs: Sequence[Result]) -> Stack:
        self._cached(position, vertex)
        key, record = self.foreseen.keys[position], self.foreseen.found[position]
        return stack_of(inputs[0]).with_result(key, record)

    def _solve(self, position: int, vertex: Vertex, inputs: Sequence[Result]) -> Result:
        match vertex.operation:
            case Scratch() as operation:
                return Stack(key=definition_key(operation, ()))
            case PullBase() as operation:
                return self._pulled(position, vertex, operation)
            case ReadContext() as operation:
                return self._context(position, vertex, operation)
            case FetchUrl() | FetchGit() as operation:
                return self._fetched(position, vertex, operation)
            case CopyFiles() as operation:
                return self._copied(position, vertex, operation, inputs)
            case MakeDirectory() as operation:
                return self._directory(position, vertex, operation, inputs)
            case Exec() as operation:
                return self._executed(position, vertex, operation, inputs)

    def _pulled(self, position: int, vertex: Vertex, operation: PullBase) -> Stack:
        base = self.bases[operation.manifest]
        key = definition_key(operation, ())
        if self.parts.pull.is_here(base):
            self._cached(position, vertex)
        else:
            self.progress.started(position, vertex)
            if position in self.eager or base.named:
                self.parts.pull(base, self.progress.pulled(position, self.cancelled))
            self.progress.done(position)
        return Stack(key=key, layers=base.image.layers)

    def _context(self, position: int, vertex: Vertex, operation: ReadContext) -> Result:
        if not operation.name:
            return self.contexts("", self.cancelled)
        self.progress.started(position, vertex)
        with canceled_steps():
            files = self.contexts(operation.name, self.cancelled)
        self.progress.done(position)
        return files

    def _fetched(self, position: int, vertex: Vertex, operation: FetchUrl | FetchGit) -> Result:
        self.progress.started(position, vertex)
        found = self.parts.fetch(operation, self.cancelled, self.progress.transferred(position))
        if found.cached:
            self._cached(position, vertex)
        else:
            self.progress.done(position)
        return found.result

    def _copied(
        self, position: int, vertex: Vertex, operation: CopyFiles, inputs: Sequence[Result]
    ) -> Stack:
        root = stack_of(inputs[0])
        definition = self.parts.copy.definition(operation, root, inputs[1:])
        glance = None if definition else self.parts.copy.glance(operation, root, inputs[1:])
        if glance is not None:
            definition = self.parts.lookup.meaning(glance)
        if definition is not None and not self.all_keys:
            record = self._known(position, definition, inputs)
            if record is not None:
                self._cached(position, vertex)
                return root.with_result(definition, record)
        copied = self._compared(position, vertex, operation, inputs)
        if glance is not None:
            self.parts.lookup.remember_alias(glance, copied.key, self.parts.clock.now())
        return copied

    def _compared(
        self, position: int, vertex: Vertex, operation: CopyFiles, inputs: Sequence[Result]
    ) -> Stack:
        """Copy, or find by the contents of the files that it is done already."""
        root = stack_of(inputs[0])
        copy = self.parts.copy.prepare(operation, root, inputs[1:])
        if copy.reads_first:
            return self._layered(
                position, inputs, copy.definition_key(), copy.content_key, copy.pack
            )
        # Nothing is known of these files: pack them, and know their digests from that.
        self._begin(position, vertex)
        layer = copy.pack()
        definition, content = copy.definition_key(), copy.content_key()
        record = self._recorded(vertex, inputs, definition, content, layer)
        self.progress.done(position)
        return root.with_result(definition, record, content)

    def _directory(
        self, position: int, vertex: Vertex, operation: MakeDirectory, inputs: Sequence[Result]
    ) -> Stack:
        make, root = self.parts.make_directory, stack_of(inputs[0])
        return self._layered(
            position,
            inputs,
            definition_key(operation, (root.key,)),
            lambda: make.content_key(operation, root),
            lambda: make(operation, root),
        )

    def _executed(
        self, position: int, vertex: Vertex, operation: Exec, inputs: Sequence[Result]
    ) -> Stack:
        root = stack_of(inputs[0])
        step = self.parts.execute.prepare(operation, root, dict(enumerate(inputs)))
        return self._layered(
            position,
            inputs,
            step.definition_key(),
            step.content_key,
            lambda: step.run(self.progress.output(position), self.cancelled),
        )

    def _layered(
        self,
        position: int,
        inputs: Sequence[Result],
        definition: Digest,
        content: Callable[[], Digest],
        work: Work,
    ) -> Stack:
        vertex, root = self.graph.vertices[position], stack_of(inputs[0])
        record = self._known(position, definition, inputs)
        if record is None and not vertex.ignore_cache:
            record = self.parts.lookup(content())
            if record is not None:
                record = self._remembered(record, inputs, definition)
        log.debug("looked up", step=vertex.name, key=str(definition), found=record is not None)
        if record is not None:
            self._cached(position, vertex)
        else:
            self._begin(position, vertex)
            layer = work()
            record = self._recorded(vertex, inputs, definition, content(), layer)
            self.progress.done(position)
        return root.with_result(definition, record, *((content(),) if self.all_keys else ()))

    def _known(
        self, position: int, definition: Digest, inputs: Sequence[Result]
    ) -> CacheRecord | None:
        """Return what the definition key finds: it counts for what its inputs hold now alone."""
        contents = contents_of(inputs)
        made = self.so_far.made(definition, contents)
        if made is not None or self.graph.vertices[position].ignore_cache:
            return made
        foreseen = self.foreseen.found.get(position)
        return foreseen or self.parts.lookup.by_definition(definition, contents)

    def _recorded(
        self,
        vertex: Vertex,
        inputs: Sequence[Result],
        definition: Digest,
        content: Digest,
        layer: Layer,
    ) -> CacheRecord:
        """Return the record of a layer just made, or of one that was made elsewhere meanwhile.

        So builds that run at the same time go on with the same result, and find it later.
        """
        record = None if vertex.ignore_cache else self.parts.lookup.stored(content)
        if record is None:
            record = CacheRecord(
                layer=layer,
                created=self.parts.clock.now(),
                description=vertex.name.partition("] ")[2] or vertex.name,
            )
        record = self._remembered(record, inputs, definition, content)
        self.so_far.note_made(definition, record)
        return record

    def _remembered(
        self, record: CacheRecord, inputs: Sequence[Result], definition: Digest, *contents: Digest
    ) -> CacheRecord:
        root, *sources = inputs
        record = replace(record, made_from=provenance_of(stack_of(root), sources))
        self.parts.lookup.remember(record, *contents, definition=definition)
        return record

    def _begin(self, position: int, vertex: Vertex) -> None:
        """Tell that a step is done now. As this may take long, note what the build has found."""
        self._making.set()
        self._note_used()
        self.progress.started(position, vertex)

    def _cached(self, position: int, vertex: Vertex) -> None:
        if self._making.is_set():
            self._note_used()
        self.progress.cached(position, vertex)

    def _note_used(self) -> None:
        """Keep others from giving up what this build has found (housekeeping/inventory.py)."""
        self.parts.lookup.note_used(self.parts.clock.now(), again=True)
