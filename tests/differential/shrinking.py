"""Reduction of a case to a small one with the same difference."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from tests.differential.case import Case, Step

T = TypeVar("T")

_AT_ONCE = 12  # candidates, of which several may do: the first is taken


def smallest(case: Case, interesting: Callable[[Sequence[Case]], Sequence[bool]]) -> Case:
    """Leave out parts as long as ``interesting`` says yes to what is left."""
    candidates = smaller(case)
    while some := list(islice(candidates, _AT_ONCE)):
        numbered = [replace(one, number=case.number * 1000 + n) for n, one in enumerate(some, 1)]
        found = list(interesting(numbered))
        if any(found):
            case = replace(some[found.index(True)], number=case.number)
            candidates = smaller(case)
    return case


def smaller(case: Case) -> Iterator[Case]:
    """Yield cases with one part less, the largest parts first."""
    for index, _ in enumerate(case.stages[:-1]):
        yield replace(case, stages=_without(case.stages, index))
    for count in (len(case.files) // 2, 1):
        for start in range(0, len(case.files), count) if count else ():
            yield replace(case, files=case.files[:start] + case.files[start + count :])
    for number, stage in enumerate(case.stages):
        for index, step in enumerate(stage.steps):
            yield _with_steps(case, number, _without(stage.steps, index))
            for less in _shorter(step):
                steps = (*stage.steps[:index], less, *stage.steps[index + 1 :])
                yield _with_steps(case, number, steps)
    yield from (replace(case, above=_without(case.above, i)) for i in range(len(case.above)))
    yield from (replace(case, ignore=_without(case.ignore, i)) for i in range(len(case.ignore)))
    for index in range(len(case.build_args)):
        yield replace(case, build_args=_without(case.build_args, index))


def _without(items: tuple[T, ...], index: int) -> tuple[T, ...]:
    return items[:index] + items[index + 1 :]


def _with_steps(case: Case, number: int, steps: tuple[Step, ...]) -> Case:
    stage = replace(case.stages[number], steps=steps)
    return replace(case, stages=(*case.stages[:number], stage, *case.stages[number + 1 :]))


def _shorter(step: Step) -> Iterator[Step]:
    """Yield it with an option or a command less."""
    if step.text != step.older or "<<" in step.text:
        return
    words = step.text.split(" ")
    for index, word in enumerate(words[:6]):
        if word.startswith("--"):
            yield Step.of_old(" ".join(words[:index] + words[index + 1 :]))
    commands = step.text.split("; ")
    for index in range(1, len(commands)):
        yield Step.of_old("; ".join(commands[:index] + commands[index + 1 :]))
