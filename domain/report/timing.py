"""The order of steps in time: what each waited for, and the critical path."""

from collections.abc import Sequence

from img.domain.dataclass import dataclass

_TOLERANCE = 0.002  # seconds between an event and its note in the record


@dataclass(frozen=True, slots=True)
class TimedStep:
    """A step by its times in seconds; ``inputs`` are places of other steps."""

    start: float
    end: float
    inputs: tuple[int, ...] = ()


def waited_for(steps: Sequence[TimedStep], place: int) -> int | None:
    """Return the place of the step that another waited for, None for the first of a build.

    It is the last of its inputs to end. A step without known inputs, such as an export, waited for
    the step that ended last before it.
    """
    step = steps[place]
    inputs = [each for each in step.inputs if each != place]
    if not inputs:
        inputs = [
            each
            for each, other in enumerate(steps)
            if each != place
            and other.end <= step.start + _TOLERANCE
            and (other.start, each) < (step.start, place)
        ]
    return max(inputs, key=lambda each: (steps[each].end, each), default=None)


def critical_path(steps: Sequence[TimedStep]) -> Sequence[int]:
    """Return the places of the steps that the end of the build waited for, the first one first."""
    if not steps:
        return ()
    place: int | None = max(range(len(steps)), key=lambda each: (steps[each].end, each))
    path: list[int] = []
    seen: set[int] = set()
    while place is not None and place not in seen:  # a record may have a cycle
        seen.add(place)
        path.append(place)
        place = waited_for(steps, place)
    return path[::-1]


def time_in_queue(steps: Sequence[TimedStep], place: int) -> float:
    """Return the seconds between the end of the inputs of a step and its start."""
    ends = [steps[each].end for each in steps[place].inputs if each != place]
    return max(steps[place].start - max(ends), 0.0) if ends else 0.0
