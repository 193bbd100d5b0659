"""The parts of a build graph that need not be solved, as all steps that use them are cached."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import field, replace

from img.application.ports.cache_store import CacheRecord
from img.application.ports.clock import Clock
from img.application.ports.executor import Cancellation
from img.application.solver.lookup import Lookup
from img.application.solver.results import Result, Stack
from img.application.solver.so_far import SoFar
from img.application.solver.steps.make import BuildInputs, MakeSteps
from img.application.solver.steps.step import SourceStep, Step
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import BuildError
from img.domain.graph.cached_steps import FindCachedSteps, RecordedResult
from img.domain.graph.operations import ReadContext
from img.domain.graph.provenance import Provenance
from img.domain.graph.vertex import Graph


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunedGraph:
    """The graph of a build without the vertices that need not be solved.

    ``found`` has the results that were found by definition keys, all made from one another. The
    vertices at ``alone`` have lost all inputs but their root. ``keys`` has all definition keys
    that are known without pulling or running anything.
    """

    graph: Graph
    found: Mapping[int, CacheRecord] = field(default_factory=dict)
    alone: frozenset[int] = frozenset()
    keys: Mapping[int, Digest] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipCachedStages:
    """Leaves stages out of a graph that only cached steps take files from.

    Definition keys are made of one another, so they are known before anything is pulled or run.
    A step that is found by its key needs neither the layers nor the base image of a stage that it
    copies from or mounts (BuildKit, solver/edge.go, has the same effect).
    """

    lookup: Lookup
    steps: MakeSteps
    clock: Clock

    def __call__(
        self,
        graph: Graph,
        target: int,
        inputs: BuildInputs,
        so_far: SoFar,
        cancelled: Cancellation,
    ) -> PrunedGraph:
        """Return the vertices to solve for ``target``.

        It agrees with ``so_far``, the results of the build for other platforms.
        """
        takers = {i for i in graph.needed_for(target) if _takes_from_stages(graph, i)}
        if not takers:
            return PrunedGraph(graph=graph)
        known = self._known(graph, target, inputs, cancelled)
        keys = {position: stack.key for position, stack in known.stacks.items()}
        look_up = _LookUp(self.lookup, known.stacks, so_far)
        cached = FindCachedSteps(
            graph=graph,
            target=target,
            keys=keys,
            leaves={i: known.stacks[i].content for i in known.leaves},
            takers=frozenset(takers),
            agreed=so_far.contents,
            find=look_up,
        )()
        vertices = list(graph.vertices)
        for position in cached.alone:
            root = vertices[position].inputs[:1]
            vertices[position] = replace(vertices[position], inputs=root)
        pruned = Graph(tuple(vertices))
        needed = pruned.needed_for(target)
        for position, quick in known.learned.items():
            if position not in needed:  # the solver does it for the others
                self.lookup.remember_alias(quick, keys[position], self.clock.now())
        return PrunedGraph(
            graph=pruned,
            found={position: look_up.found[position] for position in cached.results},
            alone=cached.alone,
            keys=keys,
        )

    def _known(
        self, graph: Graph, target: int, build: BuildInputs, cancelled: Cancellation
    ) -> "_Known":
        results: dict[int, Result] = {}
        leaves: list[int] = []
        learned: dict[int, Digest] = {}
        result: Result | None
        for position in graph.needed_for(target):
            vertex = graph.vertices[position]
            inputs = [results[i] for i in vertex.inputs if i in results]
            if vertex.ignore_cache or len(inputs) != len(vertex.inputs):
                continue
            with suppress(BuildError):  # the solver raises it again, with its lines
                step = self.steps(position, vertex, inputs, build, cancelled)
                if isinstance(step, SourceStep):
                    leaves.append(position)
                    result = step.known()
                else:
                    quick = step.quick_key()
                    result = self._without_layers(step, quick)
                    if result is None and not step.reads_much():
                        result = Stack(key=step.definition_key())
                        if quick is not None:
                            learned[position] = quick
                if result is not None:
                    results[position] = result
        stacks = {i: result for i, result in results.items() if isinstance(result, Stack)}
        return _Known(stacks, [i for i in leaves if i in stacks], learned)

    def _without_layers(self, step: Step, quick: Digest | None) -> Stack | None:
        """Return a stack with the definition key of ``step`` if its alias ``quick`` is known."""
        key = None if quick is None else self.lookup.definition_of(quick)
        return None if key is None else Stack(key=key)


def _takes_from_stages(graph: Graph, position: int) -> bool:
    sources = (graph.vertices[i].operation for i in graph.vertices[position].inputs[1:])
    return any(not isinstance(operation, ReadContext) for operation in sources)


@dataclass(frozen=True, slots=True)
class _Known:
    """Vertices with known definition keys; at ``leaves`` are those without inputs.

    ``learned`` has the aliases of the keys that were found without them.
    """

    stacks: Mapping[int, Stack]
    leaves: Sequence[int]
    learned: Mapping[int, Digest]


@dataclass(slots=True)
class _LookUp:
    """Finds the results of vertices, each once: requests to a remote cache take time."""

    lookup: Lookup
    known: Mapping[int, Stack]
    so_far: SoFar
    found: dict[int, CacheRecord] = field(default_factory=dict)
    _asked: dict[object, CacheRecord | None] = field(default_factory=dict)

    def __call__(self, position: int, inputs: Provenance) -> RecordedResult | None:
        question = (position, tuple(inputs.items()))
        if question not in self._asked:
            key = self.known[position].key
            made = self.so_far.made(key, inputs)
            self._asked[question] = made or self.lookup.by_definition(key, inputs)
        if (record := self._asked[question]) is None:
            return None
        self.found[position] = record
        layer = record.layer.diff_id if record.layer else None
        return RecordedResult(layer=layer, made_from=record.made_from)
