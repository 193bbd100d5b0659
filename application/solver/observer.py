"""Observers of the steps of a build: the history takes what is known of each."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from img.application.solver.progress import vertex_id
from img.application.solver.results import Result, Stack
from img.domain.graph.operations import ReadContext
from img.domain.graph.vertex import Vertex
from img.domain.history.facts import StepFacts, kept_operation
from img.domain.oci.chain import Layer


class StepObserver(Protocol):
    """A receiver of the facts about steps that have a result, or have failed."""

    @property
    @abstractmethod
    def observes(self) -> bool:
        """Return whether facts are wanted: to collect them takes time."""

    @abstractmethod
    def hide(self, arguments: Mapping[str, str]) -> None:
        """Keep the values of build arguments with the names of secrets off the record."""

    @abstractmethod
    def solved(self, vertex: str, facts: StepFacts) -> None:
        """Take the facts about a step; several threads may call it."""


class Unobserved(StepObserver):
    """An observer that asks for no facts."""

    @property
    def observes(self) -> bool:
        return False

    def hide(self, arguments: Mapping[str, str]) -> None:
        pass

    def solved(self, vertex: str, facts: StepFacts) -> None:
        pass


class TargetObserver(StepObserver):
    """The facts of the steps of one target of a bake (target_progress.py)."""

    def __init__(self, observer: StepObserver, target: str) -> None:
        self._observer = observer
        self._target = target

    @property
    def observes(self) -> bool:
        return self._observer.observes

    def hide(self, arguments: Mapping[str, str]) -> None:
        self._observer.hide(arguments)

    def solved(self, vertex: str, facts: StepFacts) -> None:
        inputs = tuple(f"{self._target} {each}" for each in facts.inputs)
        self._observer.solved(f"{self._target} {vertex}", replace(facts, inputs=inputs))


def facts_of(
    vertex: Vertex,
    label: str,
    inputs: Sequence[Result],
    result: Result | None,
    kept: Layer | None = None,
) -> StepFacts:
    """Return the facts about ``vertex``; without a ``result`` it failed.

    ``kept`` is the layer of the changes that a failed step made.
    """
    stacks = [each if isinstance(each, Stack) else None for each in inputs]
    made = result if isinstance(result, Stack) else None
    return StepFacts(
        operation=kept_operation(vertex.operation, vertex.arguments),
        inputs=tuple(vertex_id(label, position) for position in vertex.inputs),
        keys=tuple("" if each is None else str(each.key) for each in stacks),
        contents=tuple("" if each is None else str(each.content) for each in stacks),
        arguments=vertex.arguments,
        lines=vertex.lines,
        ignore_cache=vertex.ignore_cache,
        key="" if made is None else str(made.key),
        layers=made.layers if made is not None and not vertex.inputs else (),
        layer=None if made is None else made.own,
        kept=kept,
    )


def is_recorded(vertex: Vertex) -> bool:
    """Return whether the facts about a vertex are worth recording."""
    return not isinstance(vertex.operation, ReadContext)
