"""``--call=targets``: the stages of a Dockerfile (BuildKit dockerfile2llb, ListTargets)."""

from img.domain.dataclass import dataclass
from img.domain.dockerfile.instructions import Dockerfile, From


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildTarget:
    """A stage that ``--target`` may name; base and platform as they are written."""

    name: str  # "": no name
    base: str
    lines: tuple[int, int]
    platform: str = ""
    description: str = ""
    is_default: bool = False


def targets_of(dockerfile: Dockerfile) -> tuple[BuildTarget, ...]:
    """Return the stages in order; the last one is the default target."""
    last = dockerfile.stages[-1]
    return tuple(
        BuildTarget(
            name=stage.start.name,
            base=stage.start.base,
            platform=stage.start.platform,
            description=stage_description(stage.start),
            is_default=stage is last,
            lines=stage.start.lines,
        )
        for stage in dockerfile.stages
    )


def stage_description(start: From) -> str:
    """Return the text of the comment ``# NAME text`` directly above a stage."""
    prefix = f"{start.name} "
    comments = start.comments if start.name else ()
    return next((line.removeprefix(prefix) for line in comments if line.startswith(prefix)), "")
