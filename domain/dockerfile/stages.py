"""References between stages: FROM, COPY --from, RUN --mount=from.

Source: BuildKit frontend/dockerfile/dockerfile2llb/convert.go.
"""

from collections.abc import Iterator, Mapping, Sequence

from img.domain.dataclass import dataclass
from img.domain.dockerfile.instructions import Copy, Instruction, OnBuild, Run, Stage
from img.domain.dockerfile.interpret import interpret_onbuild
from img.domain.dockerfile.suggestion import did_you_mean
from img.domain.errors import DockerfileError
from img.domain.go.formatting import quoted


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A stage or image named by an instruction."""

    text: str
    lines: tuple[int, int]
    is_mount: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StageNeeds:
    """The stages and images that a stage reads: stages by index, images by name."""

    base: int | None  # index of the stage that it continues, None for an image
    stages: tuple[int, ...] = ()  # from COPY and RUN --mount
    images: tuple[str, ...] = ()  # images or named contexts, from the same instructions


def find_stage(stages: Sequence[Stage], name_or_index: str, before: int) -> Stage | None:
    """Return the last stage called ``name`` above stage ``before``."""
    found = _by_name(stages[:before], name_or_index)
    if found or not _is_index(name_or_index):
        return found
    index = int(name_or_index)
    return stages[index] if index < min(before, len(stages)) else None


def find_base(stages: Sequence[Stage], base: str, before: int) -> Stage | None:
    """Return the stage that ``FROM base`` continues, None for an image; FROM takes no numbers."""
    return _by_name(stages[:before], base)


def select_target(stages: Sequence[Stage], target: str = "") -> Stage:
    """Return the stage to build, the last one if none is named. Raises TargetNotFound."""
    if not target:
        return stages[-1]
    found = find_stage(stages, target, len(stages))
    if not found:
        raise TargetNotFound(target, stages)
    return found


def references_of(instructions: Sequence[Instruction]) -> Iterator[Reference]:
    """Yield the references of COPY and RUN. Raises DockerfileError for a variable in ``--from``."""
    for instruction in instructions:
        match instruction:
            case Copy(from_=text) if text:
                yield Reference(text=text, lines=instruction.lines)
            case Run(mounts=mounts):
                for mount in mounts:
                    if mount.from_:
                        yield Reference(text=mount.from_, lines=instruction.lines, is_mount=True)


def needs_of(
    stages: Sequence[Stage], index: int, bases: Mapping[int, str] | None = None
) -> StageNeeds:
    """Return the needs of stage ``index``; ``bases`` are the base names after expansion.

    Raises DockerfileError for a reference to a stage that is not above it.
    """
    stage = stages[index]
    base = find_base(stages, (bases or {}).get(index, stage.start.base), index)
    needed: list[int] = []
    images: list[str] = []
    triggers = _triggers(base) if base else ()
    for reference in references_of((*triggers, *stage.instructions)):
        found = _resolve(stages, index, reference)
        if found:
            needed.append(found.index)
        else:
            images.append(reference.text)
    return StageNeeds(
        base=base.index if base else None,
        stages=tuple(dict.fromkeys(needed)),
        images=tuple(dict.fromkeys(images)),
    )


def check_circles(stages: Sequence[Stage], bases: Mapping[int, str] | None = None) -> None:
    """Raise DockerfileError for a stage that depends on itself, directly or through others."""
    edges = [tuple(_edges(stages, index, bases or {})) for index in range(len(stages))]
    done: set[int] = set()
    for start in range(len(stages)):
        path: list[tuple[int, Iterator[int]]] = [(start, iter(edges[start]))]
        on_path = {start}
        while path and start not in done:
            index, remaining = path[-1]
            following = next((edge for edge in remaining if edge not in done), None)
            if following in on_path:
                raise _circular(stages[following or 0])
            if following is None:
                done.add(index)
                on_path.discard(index)
                path.pop()
            else:
                on_path.add(following)
                path.append((following, iter(edges[following])))


def _edges(stages: Sequence[Stage], index: int, bases: Mapping[int, str]) -> Iterator[int]:
    """Yield the stages that stage ``index`` names, including those below it."""
    stage = stages[index]
    base = find_base(stages, bases.get(index, stage.start.base), index)
    if base:
        yield base.index
    for reference in references_of(stage.instructions):
        found = _anywhere(stages, index, reference)
        if found:
            yield found.index


def _resolve(stages: Sequence[Stage], index: int, reference: Reference) -> Stage | None:
    found = _anywhere(stages, index, reference)
    if found and found.index >= index:
        raise DockerfileError(_too_early(stages[index], reference), lines=reference.lines)
    if found or reference.is_mount:
        return found
    if _is_index(reference.text):
        raise DockerfileError(f"invalid stage index {reference.text}", lines=reference.lines)
    if "$" in reference.text:
        raise DockerfileError(
            "variable expansion is not supported for --from, define a new stage with FROM using "
            "ARG from global scope as a workaround",
            lines=reference.lines,
        )
    return None


def _anywhere(stages: Sequence[Stage], index: int, reference: Reference) -> Stage | None:
    """Return the stage that is meant: one above, else one below, which is an error."""
    for before in (index, len(stages)):
        if reference.is_mount:  # for a number that is no index
            found = _by_name(stages[:before], reference.text)
        else:
            found = find_stage(stages, reference.text, before)
        if found:
            return found
    return None


def _by_name(stages: Sequence[Stage], name: str) -> Stage | None:
    name = name.lower()
    return next((each for each in reversed(stages) if name and each.start.name == name), None)


def _is_index(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _triggers(base: Stage) -> tuple[Instruction, ...]:
    return tuple(
        interpret_onbuild(each.expression, lines=each.lines)
        for each in base.instructions
        if isinstance(each, OnBuild)
    )


def _name_of(stage: Stage) -> str:
    return stage.start.name or f"stage-{stage.index}"


def _too_early(stage: Stage, reference: Reference) -> str:
    if reference.is_mount:
        return (
            f'cannot mount from stage "{reference.text}" to "{_name_of(stage)}", stage needs to be '
            "defined before current command"
        )
    return (
        f'cannot copy from stage "{reference.text}", it needs to be defined before current stage '
        f'"{_name_of(stage)}"'
    )


def _circular(stage: Stage) -> DockerfileError:
    return DockerfileError(
        f"circular dependency detected on stage: {_name_of(stage)}", lines=stage.start.lines
    )
