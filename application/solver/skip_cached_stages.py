"""What a build need not even look at: stages whose only users are done already."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import field, replace
from threading import Event

from img.application.planning.resolve import ResolvedBase
from img.application.ports.cache_store import CacheRecord
from img.application.solver.contexts import OpenContext
from img.application.solver.copy_files import CopyIntoLayer
from img.application.solver.execute import ExecuteProcess
from img.application.solver.lookup import Lookup
from img.application.solver.results import Result, Stack
from img.application.solver.so_far import SoFar
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import BuildError
from img.domain.graph.cache_key import definition_key
from img.domain.graph.foresight import Foreseeing, Making
from img.domain.graph.operations import (
    CopyFiles,
    Exec,
    MakeDirectory,
    PullBase,
    ReadContext,
    Scratch,
)
from img.domain.graph.provenance import Provenance
from img.domain.graph.vertex import Graph, Vertex
from img.domain.oci.chain import Layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """A build's graph without what it need not look at.

    ``found`` are the results of vertices that were found by their definition keys, all made from
    one another. Those at ``alone`` have only their root left as an input. ``keys`` are all
    definition keys that are known by now.
    """

    graph: Graph
    found: Mapping[int, CacheRecord] = field(default_factory=dict)
    alone: frozenset[int] = frozenset()
    keys: Mapping[int, Digest] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Foresee:
    """Knows definition keys before anything is pulled or run, as they are made of one another.

    A step that copies from a stage, or mounts one, and is found by its key, needs no more of that
    stage: neither its layers nor its base image (BuildKit, solver/edge.go, has the same effect).
    """

    lookup: Lookup
    copy: CopyIntoLayer
    execute: ExecuteProcess

    def __call__(
        self,
        graph: Graph,
        target: int,
        contexts: OpenContext,
        bases: Mapping[Digest, ResolvedBase],
        so_far: SoFar,
        cancelled: Event,
    ) -> Foreseen:
        """Return what has to be solved for ``target``. ``bases`` are found by manifest digest.

        What the build has come to ``so_far`` for other platforms is not to come out otherwise.
        """
        takers = {i for i in graph.needed_for(target) if self._takes_from_stages(graph, i)}
        if not takers:
            return Foreseen(graph=graph)
        known = self._known(graph, target, contexts, bases, cancelled)
        look_up = _LookUp(self.lookup, known, so_far)

        foresight = Foreseeing(
            graph=graph,
            target=target,
            keys={position: stack.key for position, stack in known.items()},
            leaves={i: known[i].content for i in known if not _is_step(graph.vertices[i])},
            takers=frozenset(takers),
            agreed=so_far.contents,
            find=look_up,
        )()
        vertices = list(graph.vertices)
        for position in foresight.alone:
            inputs = vertices[position].inputs
            vertices[position] = replace(vertices[position], inputs=inputs[:1])
        return Foreseen(
            graph=Graph(tuple(vertices)),
            found={position: look_up.found[position] for position in foresight.makings},
            alone=foresight.alone,
            keys={position: stack.key for position, stack in known.items()},
        )

    def _takes_from_stages(self, graph: Graph, position: int) -> bool:
        vertex = graph.vertices[position]
        return isinstance(vertex.operation, CopyFiles | Exec) and any(
            not isinstance(graph.vertices[i].operation, ReadContext) for i in vertex.inputs[1:]
        )

    def _known(
        self,
        graph: Graph,
        target: int,
        contexts: OpenContext,
        bases: Mapping[Digest, ResolvedBase],
        cancelled: Event,
    ) -> Mapping[int, Stack]:
        """Return the vertices whose key can be known; those of steps are without layers."""
        known: dict[int, Result] = {}
        for position in graph.needed_for(target):
            vertex = graph.vertices[position]
            inputs = [known[i] for i in vertex.inputs if i in known]
            if vertex.ignore_cache or len(inputs) != len(vertex.inputs):
                continue
            if isinstance(vertex.operation, ReadContext):
                if not vertex.operation.name:
                    known[position] = contexts("", cancelled)
                continue
            with suppress(BuildError):  # which is raised again, with its lines, when it is solved
                if (key := self._key(vertex, inputs)) is not None:
                    known[position] = Stack(key=key, layers=_layers(vertex, bases))
        return {i: result for i, result in known.items() if isinstance(result, Stack)}

    def _key(self, vertex: Vertex, inputs: Sequence[Result]) -> Digest | None:
        match vertex.operation:
            case Scratch() | PullBase() as operation:
                return definition_key(operation, ())
            case MakeDirectory() as operation:
                return definition_key(operation, (_root(inputs).key,))
            case CopyFiles() as operation:
                return self.copy.definition(operation, _root(inputs), inputs[1:]) or self._meant(
                    operation, inputs
                )
            case Exec() as operation:
                step = self.execute.prepare(operation, _root(inputs), dict(enumerate(inputs)))
                return step.definition_key()
            case _:
                return None

    def _meant(self, operation: CopyFiles, inputs: Sequence[Result]) -> Digest | None:
        """Return the key of a COPY from the context: as remembered, or of its files' contents."""
        root = _root(inputs)
        if operation.source_inputs:
            return None
        glance = self.copy.glance(operation, root, inputs[1:])
        if glance is not None and (key := self.lookup.meaning(glance)) is not None:
            return key
        copy = self.copy.prepare(operation, root, inputs[1:])
        return copy.definition_key() if copy.reads_first else None


def _root(inputs: Sequence[Result]) -> Stack:
    assert isinstance(inputs[0], Stack)
    return inputs[0]


@dataclass(slots=True)
class _LookUp:
    """Finds the results of vertices, each asked for once: a cache elsewhere takes its time."""

    lookup: Lookup
    known: Mapping[int, Stack]
    so_far: SoFar
    found: dict[int, CacheRecord] = field(default_factory=dict)
    _asked: dict[object, CacheRecord | None] = field(default_factory=dict)

    def __call__(self, position: int, inputs: Provenance) -> Making | None:
        question = (position, tuple(inputs.items()))
        if question not in self._asked:
            key = self.known[position].key
            made = self.so_far.made(key, inputs)
            self._asked[question] = made or self.lookup.by_definition(key, inputs)
        if (record := self._asked[question]) is None:
            return None
        self.found[position] = record
        layer = record.layer.diff_id if record.layer else None
        return Making(layer=layer, made_from=record.made_from)


def _layers(vertex: Vertex, bases: Mapping[Digest, ResolvedBase]) -> tuple[Layer, ...]:
    operation = vertex.operation
    return bases[operation.manifest].image.layers if isinstance(operation, PullBase) else ()


def _is_step(vertex: Vertex) -> bool:
    return isinstance(vertex.operation, CopyFiles | MakeDirectory | Exec)
