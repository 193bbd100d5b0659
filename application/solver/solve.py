"""One vertex: looked up, else done."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from threading import Event

from img.application.cancellation import StepCanceled, cancelled_by
from img.application.download import Report
from img.application.log import logger
from img.application.planning.resolve import ResolvedBase
from img.application.ports.cache_store import CacheRecord
from img.application.ports.clock import Clock
from img.application.ports.progress_sink import ProgressSink
from img.application.solver.contexts import OpenContext
from img.application.solver.copy_files import CopyIntoLayer
from img.application.solver.execute import ExecuteProcess
from img.application.solver.fetch import FetchSources, canceled_steps
from img.application.solver.fetch_url import Told
from img.application.solver.foresee import Foresee, Foreseen
from img.application.solver.lookup import Lookup
from img.application.solver.make_directory import MakeDirectoryLayer
from img.application.solver.pull_base import PullLayers
from img.application.solver.results import Result, Stack
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import BuildError, ImgError, SourceError
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
from img.domain.oci.descriptor import Descriptor
from img.domain.progress import (
    VertexCached,
    VertexCanceled,
    VertexDone,
    VertexFailed,
    VertexOutput,
    VertexStarted,
    VertexStatus,
)

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
        eager: frozenset[int] = frozenset(),
        label: str = "",
        *,
        all_keys: bool = False,
    ) -> "BuildSolver":
        """Return a solver of one build's vertices. ``bases`` are found by manifest digest.

        Those at ``eager`` positions are fetched at once, others when somebody needs their files.
        ``label`` tells the build's progress from that of others at the same time. With
        ``all_keys`` results say by which keys they are found, even where one of them did.
        """
        foreseen = self.foresee(plan.graph, plan.target, contexts, cancelled)
        return BuildSolver(
            parts=self,
            graph=foreseen.graph,
            foreseen=foreseen,
            anew=frozenset(_after_ignored(plan.graph)),
            contexts=contexts,
            bases=bases,
            cancelled=cancelled,
            eager=eager,
            label=label,
            all_keys=all_keys,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSolver:
    """Solves the vertices of one build, each when its inputs are there (schedule.Solve).

    ``anew`` are vertices that come after a step that is done again, and such steps themselves:
    what their keys stand for is what that step once gave.
    """

    parts: Solver
    graph: Graph
    contexts: OpenContext
    bases: Mapping[Digest, ResolvedBase]
    cancelled: Event
    eager: frozenset[int] = frozenset()  # bases that are needed whatever comes
    label: str = ""
    all_keys: bool = False
    foreseen: Foreseen
    anew: frozenset[int] = frozenset()
    _begun: set[int] = field(default_factory=set)

    def __call__(self, position: int, inputs: Sequence[Result]) -> Result:
        """Return what the vertex at ``position`` comes to.

        Raises what its operation raises; a BuildError without lines gets the instruction's.
        """
        vertex = self.graph.vertices[position]
        try:
            if position in self.foreseen.found:
                return self._found(position, vertex, inputs)
            if self.cancelled.is_set():
                raise StepCanceled
            with cancelled_by(self.cancelled):
                return self._solve(position, vertex, inputs)
        except StepCanceled:
            self.parts.progress.emit(VertexCanceled(vertex=self._id(position)))
            raise
        except ImgError as error:
            if isinstance(error, SourceError) and error.lines is None:
                error.lines = vertex.lines
            if position not in self._begun:
                self._started(position, vertex)
            self.parts.progress.emit(VertexFailed(vertex=self._id(position), message=error.message))
            raise

    def not_looked_at(self) -> Mapping[int, Stack]:
        """Return what is known of vertices that need not be solved: all but the layers below."""
        stacks = {}
        for position, key in self.foreseen.keys.items():
            record = self.parts.lookup.known(key)
            if record is not None:
                stacks[position] = _on(Stack(key=key), key, record)
        return stacks

    def _found(self, position: int, vertex: Vertex, inputs: Sequence[Result]) -> Stack:
        self._cached(position, vertex)
        return _on(_stack(inputs[0]), *self.foreseen.found[position])

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
                return self._made(position, vertex, operation, _stack(inputs[0]))
            case Exec() as operation:
                return self._executed(position, vertex, operation, inputs)

    def _pulled(self, position: int, vertex: Vertex, operation: PullBase) -> Stack:
        base = self.bases[operation.manifest]
        key = definition_key(operation, ())
        if self.parts.pull.is_here(base):
            self._cached(position, vertex)
        else:
            self._started(position, vertex)
            if position in self.eager or base.named:
                self.parts.pull(base, self._report(position))
            self._done(position)
        return Stack(key=key, layers=base.image.layers)

    def _context(self, position: int, vertex: Vertex, operation: ReadContext) -> Result:
        if not operation.name:
            return self.contexts("", self.cancelled)
        self._started(position, vertex)
        with canceled_steps():
            files = self.contexts(operation.name, self.cancelled)
        self._done(position)
        return files

    def _fetched(self, position: int, vertex: Vertex, operation: FetchUrl | FetchGit) -> Result:
        self._started(position, vertex)
        found = self.parts.fetch(operation, self.cancelled, self._told(position))
        if found.cached:
            self._cached(position, vertex)
        else:
            self._done(position)
        return found.result

    def _copied(
        self, position: int, vertex: Vertex, operation: CopyFiles, inputs: Sequence[Result]
    ) -> Stack:
        root = _stack(inputs[0])
        definition = self.parts.copy.definition(operation, root, inputs[1:])
        glance = None if definition else self.parts.copy.glance(operation, root, inputs[1:])
        if glance is not None:
            definition = self.parts.lookup.meaning(glance)
        if definition is not None and position not in self.anew and not self.all_keys:
            record = self.parts.lookup(definition)
            if record is not None:
                self._cached(position, vertex)
                return _on(root, definition, record)
        copied = self._compared(position, vertex, operation, inputs)
        if glance is not None:
            self.parts.lookup.remember_alias(glance, copied.key, self.parts.clock.now())
        return copied

    def _compared(
        self, position: int, vertex: Vertex, operation: CopyFiles, inputs: Sequence[Result]
    ) -> Stack:
        """Copy, or find by the contents of the files that it is done already."""
        root = _stack(inputs[0])
        copy = self.parts.copy.prepare(operation, root, inputs[1:])
        if not copy.reads_first:
            # Nothing is known of these files: pack them, and know their digests from that.
            self._started(position, vertex)
            layer = copy.pack()
            record = self._recorded(vertex, layer, copy.content_key())
            self.parts.lookup.remember(record, copy.definition_key(), copy.content_key())
            self._done(position)
            return _on(root, copy.definition_key(), record, copy.content_key())
        return self._layered(
            position, vertex, root, copy.definition_key(), copy.content_key, copy.pack
        )

    def _made(self, position: int, vertex: Vertex, operation: MakeDirectory, root: Stack) -> Stack:
        make = self.parts.make_directory
        return self._layered(
            position,
            vertex,
            root,
            definition_key(operation, (root.key,)),
            lambda: make.content_key(operation, root),
            lambda: make(operation, root),
        )

    def _executed(
        self, position: int, vertex: Vertex, operation: Exec, inputs: Sequence[Result]
    ) -> Stack:
        root = _stack(inputs[0])
        step = self.parts.execute.prepare(operation, root, dict(enumerate(inputs)))
        return self._layered(
            position,
            vertex,
            root,
            step.definition_key(),
            step.content_key,
            lambda: step.run(self._output(position), self.cancelled),
        )

    def _layered(
        self,
        position: int,
        vertex: Vertex,
        root: Stack,
        definition: Digest,
        content: Callable[[], Digest],
        work: Work,
    ) -> Stack:
        record = None if position in self.anew else self.parts.lookup(definition)
        if record is None and not vertex.ignore_cache:
            record = self.parts.lookup(content())
            if record is not None:
                self.parts.lookup.remember(record, definition)
        log.debug("looked up", step=vertex.name, key=str(definition), found=record is not None)
        if record is not None:
            self._cached(position, vertex)
        else:
            self._started(position, vertex)
            record = CacheRecord(
                layer=work(), created=self.parts.clock.now(), description=_description(vertex)
            )
            self.parts.lookup.remember(record, definition, content())
            self._done(position)
        return _on(root, definition, record, *((content(),) if self.all_keys else ()))

    def _recorded(self, vertex: Vertex, layer: Layer, content: Digest) -> CacheRecord:
        """Return the record of a layer just made, or of an equal one that was there before."""
        known = None if vertex.ignore_cache else self.parts.lookup(content)
        return known or CacheRecord(
            layer=layer, created=self.parts.clock.now(), description=_description(vertex)
        )

    def _id(self, position: int) -> str:
        return _vertex_id(self.label, position)

    def _output(self, position: int) -> Callable[[int, bytes], None]:
        def output(stream: int, data: bytes) -> None:
            self.parts.progress.emit(
                VertexOutput(vertex=self._id(position), stream=stream, data=data)
            )

        return output

    def _told(self, position: int) -> Told:
        def told(current: int, total: int) -> None:
            self.parts.progress.emit(
                VertexStatus(
                    vertex=self._id(position), item="transferring", current=current, total=total
                )
            )

        return told

    def _report(self, position: int) -> Report:
        def report(blob: Descriptor, current: int, done: bool) -> None:
            if self.cancelled.is_set():
                raise StepCanceled
            self.parts.progress.emit(
                VertexStatus(
                    vertex=self._id(position),
                    item=str(blob.digest),
                    current=current,
                    total=blob.size,
                    done=done,
                )
            )

        return report

    def _started(self, position: int, vertex: Vertex) -> None:
        self._begun.add(position)
        self.parts.progress.emit(VertexStarted(vertex=self._id(position), name=vertex.name))

    def _cached(self, position: int, vertex: Vertex) -> None:
        self.parts.progress.emit(VertexCached(vertex=self._id(position), name=vertex.name))

    def _done(self, position: int) -> None:
        self.parts.progress.emit(VertexDone(vertex=self._id(position)))


def vertex_ids(graph: Graph, target: int, label: str) -> Iterator[str]:
    """Yield what progress calls the steps that ``target`` needs: those that are shown."""
    for position in graph.needed_for(target):
        match graph.vertices[position].operation:
            case Scratch() | ReadContext(name=""):
                continue
            case _:
                yield _vertex_id(label, position)


def _vertex_id(label: str, position: int) -> str:
    return f"{label}{position}"


def _on(root: Stack, key: Digest, record: CacheRecord, *more_keys: Digest) -> Stack:
    return Stack(
        key=key,
        found_by=(key, *more_keys),
        layers=root.layers if record.layer is None else (*root.layers, record.layer),
        own=record.layer,
        created=record.created,
    )


def _after_ignored(graph: Graph) -> Iterator[int]:
    """Yield the positions of steps that ignore the cache, and of all that stands on them."""
    after: set[int] = set()
    for position, vertex in enumerate(graph.vertices):
        if vertex.ignore_cache or not after.isdisjoint(vertex.inputs):
            after.add(position)
            yield position


def _stack(result: Result) -> Stack:
    if not isinstance(result, Stack):
        raise BuildError("a build context cannot be a root file system")
    return result


def _description(vertex: Vertex) -> str:
    return vertex.name.partition("] ")[2] or vertex.name
