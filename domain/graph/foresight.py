"""Which steps can be found without the stages that they take files from.

A step that is found by its definition key needs no more of such a stage: neither its layers nor
its base image. Its result was made from *one* result of that stage, though, and all steps of a
build must have been made from the same: else an image would have files of two runs of a step.
"""

from collections.abc import Callable, Mapping

from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.graph.provenance import Provenance, content_on, contradict
from img.domain.graph.vertex import Graph
from img.domain.oci.chain import DiffID


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """A result as it is recorded: the layer that a step added, and what it was made from."""

    layer: DiffID | None
    made_from: Provenance


Find = Callable[[int, Provenance], Making | None]
"""Returns the result of the step at a position, if one is recorded that was made from these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foresight:
    """What will be found: ``makings`` of the steps that are needed, by position.

    Those at ``alone`` need nothing but what they stand on.
    """

    makings: Mapping[int, Making]
    alone: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseeing:
    """A graph, and what is known of it before anything is done.

    ``keys`` are the definition keys that are known, ``leaves`` the contents of base images and of
    scratch, by position; ``takers`` are the steps that take files from stages. ``agreed`` are
    contents by definition key that other images of the build were made from.
    """

    graph: Graph
    target: int
    keys: Mapping[int, Digest]
    leaves: Mapping[int, Digest]
    takers: frozenset[int]
    agreed: Provenance
    find: Find

    def __call__(self) -> Foresight:
        """Return what will be found, with as many steps alone as agree on what they took.

        Whatever such a step took its files from is not looked at, and then must not be made anew
        for others, nor be told by others to have been something else.
        """
        candidates = self.takers & self.keys.keys()
        while True:
            needed = self._needed(candidates)
            makings, contents = self._predicted(needed, candidates)
            disagreeing = self._disagreeing(needed, candidates, makings, contents)
            if not disagreeing:
                return Foresight(makings=makings, alone=candidates & makings.keys())
            candidates -= disagreeing

    def _needed(self, alone: frozenset[int]) -> list[int]:
        """Return what has to be solved, in order, if those at ``alone`` need but their root."""
        needed = {self.target}
        for position in range(self.target, -1, -1):
            if position in needed:
                inputs = self.graph.vertices[position].inputs
                needed.update(inputs[:1] if position in alone else inputs)
        return sorted(needed)

    def _predicted(
        self, needed: list[int], alone: frozenset[int]
    ) -> tuple[dict[int, Making], dict[int, Digest]]:
        """Return the results that will be found, and the contents of stacks that are certain."""
        makings: dict[int, Making] = {}
        contents: dict[int, Digest] = {}
        for position in needed:
            if position in self.leaves:
                contents[position] = self.leaves[position]
                continue
            inputs = self.graph.vertices[position].inputs
            if position in alone:
                inputs = inputs[:1]
            stacks = [i for i in inputs if i in self.keys]  # contexts are in the key themselves
            if position not in self.keys or not contents.keys() >= set(stacks):
                continue
            making = self.find(position, {self.keys[i]: contents[i] for i in stacks})
            if making is not None:
                makings[position] = making
                contents[position] = content_on(contents[inputs[0]], making.layer)
        return makings, contents

    def _disagreeing(
        self,
        needed: list[int],
        candidates: frozenset[int],
        makings: Mapping[int, Making],
        contents: Mapping[int, Digest],
    ) -> frozenset[int]:
        """Return the candidates that were made from something else than this build will have.

        One without a result is among them: it has to be done.
        """
        known: dict[Digest, Digest | None] = {
            **self.agreed,
            **{self.keys[i]: contents.get(i) for i in needed if i in self.keys},
        }
        wrong = set()
        for position in needed:
            if position not in candidates:
                continue
            making = makings.get(position)
            if making is None or contradict(making.made_from, known):
                wrong.add(position)
            else:
                known.update(making.made_from)
        return frozenset(wrong)
