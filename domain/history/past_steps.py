"""Steps of earlier builds, found by what they have in common with a step."""

from collections.abc import Iterable, Iterator

from img.domain.dataclass import dataclass
from img.domain.history.facts import StepFacts
from img.domain.history.record import BuildRecord, StepRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class PastStep:
    """A step of an earlier build."""

    record: BuildRecord
    step: StepRecord
    facts: StepFacts


class PastSteps:
    """The steps of earlier builds, the latest build first.

    They are sorted once: a build may have a thousand steps, and thirty builds before it. A build is
    taken from ``records`` when those after it do not answer a question.
    """

    def __init__(self, records: Iterable[BuildRecord]) -> None:
        self._more = iter(records)
        self._known: list[_PastBuild] = []

    def __iter__(self) -> Iterator[PastStep]:
        for build in self._builds():
            yield from build.steps

    def same(self, facts: StepFacts) -> Iterator[PastStep]:
        """Yield the steps with the definition key of ``facts``."""
        if not facts.key:
            yield from (past for past in self if _is_equal(past.facts, facts))
            return
        for build in self._builds():
            for past in (*build.by_key.get(facts.key, ()), *build.by_key.get("", ())):
                if past.facts.key or _is_equal(past.facts, facts):
                    yield past

    def nearest(self, step: StepRecord, facts: StepFacts) -> PastStep | None:
        """Return the step of the latest build that has its text, or another one in its place."""
        text, place = _text_of(step, facts), _place_of(step, facts)
        for build in self._builds():
            if (past := build.by_text.get(text) or build.by_place.get(place)) is not None:
                return past
        return None

    def _builds(self) -> "Iterator[_PastBuild]":
        yield from self._known
        for record in self._more:
            self._known.append(build := _PastBuild(record))
            yield build


class _PastBuild:
    def __init__(self, record: BuildRecord) -> None:
        self.steps: list[PastStep] = []
        self.by_key: dict[str, list[PastStep]] = {}
        self.by_text: dict[object, PastStep] = {}
        self.by_place: dict[object, PastStep] = {}
        for step in record.instructions:
            if step.facts is None:
                continue
            past = PastStep(record=record, step=step, facts=step.facts)
            self.steps.append(past)
            self.by_key.setdefault(step.facts.key, []).append(past)
            self.by_text.setdefault(_text_of(step, step.facts), past)
            self.by_place.setdefault(_place_of(step, step.facts), past)


def has_text(past: PastStep, step: StepRecord, facts: StepFacts) -> bool:
    """Return whether both are one instruction, wherever it is."""
    return _instruction(past.step, past.facts) == _instruction(step, facts)


def _instruction(step: StepRecord, facts: StepFacts) -> tuple[str, ...]:
    """Return the instruction: of a RUN the command, as its name has the values of variables."""
    command = facts.operation.get("argv")
    if isinstance(command, list):
        return ("command", *map(str, command))
    return ("text", step.text)


def _text_of(step: StepRecord, facts: StepFacts) -> tuple[object, ...]:
    return step.stage, _kind(facts), _instruction(step, facts)


def _place_of(step: StepRecord, facts: StepFacts) -> tuple[object, ...]:
    return step.stage, _kind(facts), step.number.partition("/")[0]


def _kind(facts: StepFacts) -> str:
    return str(facts.operation.get("operation"))


def _is_equal(old: StepFacts, new: StepFacts) -> bool:
    """Return whether two steps, one of them without a definition key, do the same."""
    if old.key and new.key:
        return old.key == new.key
    return old.operation == new.operation and old.keys == new.keys and "" not in new.keys
