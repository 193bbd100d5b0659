"""Steps that are found in the cache without the stages that they copy from.

A step that is found by its definition key does not need such a stage: neither its layers nor its
base image. But its result was made from *one* result of that stage, and all steps of a build must
be made from the same one: otherwise an image would mix files of two runs of a step.
"""

from collections.abc import Callable, Mapping

from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.graph.provenance import Provenance, content_on, contradict
from img.domain.graph.vertex import Graph
from img.domain.oci.chain import DiffID


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedResult:
    """A recorded result: the layer that a step added, and its provenance."""

    layer: DiffID | None
    made_from: Provenance


Find = Callable[[int, Provenance], RecordedResult | None]
"""Returns the recorded result of the step at a position with this provenance, else None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedSteps:
    """The cached steps of a build: ``results`` are the results of needed steps, by position.

    The steps at ``alone`` need only their root.
    """

    results: Mapping[int, RecordedResult]
    alone: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindCachedSteps:
    """A search for cached steps in a graph, before any step runs.

    ``keys`` are the known definition keys, ``leaves`` the contents of base images and of scratch,
    by position; ``takers`` are the steps that copy files from stages. ``agreed`` is the provenance
    of other images of the build.
    """

    graph: Graph
    target: int
    keys: Mapping[int, Digest]
    leaves: Mapping[int, Digest]
    takers: frozenset[int]
    agreed: Provenance
    find: Find

    def __call__(self) -> CachedSteps:
        """Return the cached steps, with as many steps alone as agree on their provenance.

        The sources of a step that is alone are not solved. So no other step may need them with
        another content.
        """
        candidates = self.takers & self.keys.keys()
        while True:
            needed = self._needed(candidates)
            results, contents = self._predicted(needed, candidates)
            disagreeing = self._disagreeing(needed, candidates, results, contents)
            if not disagreeing:
                return CachedSteps(results=results, alone=candidates & results.keys())
            candidates -= disagreeing

    def _needed(self, alone: frozenset[int]) -> list[int]:
        """Return the positions to solve, in order, if those at ``alone`` need only their root."""
        needed = {self.target}
        for position in range(self.target, -1, -1):
            if position in needed:
                inputs = self.graph.vertices[position].inputs
                needed.update(inputs[:1] if position in alone else inputs)
        return sorted(needed)

    def _predicted(
        self, needed: list[int], alone: frozenset[int]
    ) -> tuple[dict[int, RecordedResult], dict[int, Digest]]:
        """Return the results that will be found, and the known contents of stacks."""
        results: dict[int, RecordedResult] = {}
        contents: dict[int, Digest] = {}
        for position in needed:
            if position in self.leaves:
                contents[position] = self.leaves[position]
                continue
            inputs = self.graph.vertices[position].inputs
            if position in alone:
                inputs = inputs[:1]
            stacks = [i for i in inputs if i in self.keys]  # contexts are part of the key
            if position not in self.keys or not contents.keys() >= set(stacks):
                continue
            result = self.find(position, {self.keys[i]: contents[i] for i in stacks})
            if result is not None:
                results[position] = result
                contents[position] = content_on(contents[inputs[0]], result.layer)
        return results, contents

    def _disagreeing(
        self,
        needed: list[int],
        candidates: frozenset[int],
        results: Mapping[int, RecordedResult],
        contents: Mapping[int, Digest],
    ) -> frozenset[int]:
        """Return the candidates with another provenance than this build will have.

        A candidate without a result is among them, because it has to run.
        """
        known: dict[Digest, Digest | None] = {
            **self.agreed,
            **{self.keys[i]: contents.get(i) for i in needed if i in self.keys},
        }
        wrong = set()
        for position in needed:
            if position not in candidates:
                continue
            result = results.get(position)
            if result is None or contradict(result.made_from, known):
                wrong.add(position)
            else:
                known.update(result.made_from)
        return frozenset(wrong)
