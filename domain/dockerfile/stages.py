"""The stage that is the target of a build.

Source: BuildKit frontend/dockerfile/dockerfile2llb/convert.go.
"""

from collections.abc import Sequence

from img.domain.dockerfile.instructions import Stage
from img.domain.dockerfile.suggestion import did_you_mean
from img.domain.errors import DockerfileError
from img.domain.go.formatting import quoted

_LONGEST_INDEX = 9  # digits


class TargetNotFound(DockerfileError):
    """A target that names no stage."""

    def __init__(self, target: str, stages: Sequence[Stage]) -> None:
        names = [stage.start.name for stage in stages if stage.start.name]
        known = did_you_mean(target, names)
        super().__init__(
            f"target stage {quoted(target)} could not be found{known}",
            lines=stages[-1].start.lines if stages else None,
            hint=f"stages are: {', '.join(names)}" if names else None,
        )
        self.target = target


def select_target(stages: Sequence[Stage], target: str = "") -> Stage:
    """Return the stage to build, the last one if none is named. Raises TargetNotFound.

    Of several stages with the name it is the last one; a target may be a number.
    """
    if not target:
        return stages[-1]
    for stage in reversed(stages):
        if stage.start.name == target.lower():
            return stage
    if target.isascii() and target.isdigit() and len(target) <= _LONGEST_INDEX:
        index = int(target)
        if index < len(stages):
            return stages[index]
    raise TargetNotFound(target, stages)
