"""The stages and images of a target (BuildKit dockerfile2llb/convert.go, toDispatchState)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace

from img.domain.build import BaseImage, BaseName, BuildRequest
from img.domain.dataclass import dataclass
from img.domain.dockerfile.instructions import (
    Add,
    Copy,
    Dockerfile,
    From,
    Instruction,
    OnBuild,
    Run,
    Stage,
    Workdir,
)
from img.domain.dockerfile.interpret import interpret_onbuild
from img.domain.dockerfile.stages import select_target
from img.domain.dockerfile.suggestion import did_you_mean
from img.domain.dockerfile.variables import expand_word
from img.domain.errors import DockerfileError
from img.domain.graph.arguments import global_arguments
from img.domain.graph.sources import (
    SCRATCH,
    FromContext,
    FromImage,
    FromScratch,
    FromStage,
    NamedContexts,
    Source,
    image_source,
)
from img.domain.platform import InvalidPlatform, Platform

_LONGEST_INDEX = 9  # digits


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An instruction of a stage, and the sources of its --from and of its mounts."""

    instruction: Instruction
    sources: tuple[Source | None, ...] = ()  # COPY: one; RUN: one per mount; None: the context
    on_build: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStage:
    """A stage: its base, and its steps; the triggers of the base come first."""

    index: int
    start: From
    name: str  # as progress shows it; "" for a single stage
    base: Source
    platform: Platform
    replaced: bool = False  # by a named context; then it has no steps
    steps: tuple[Step, ...] = ()

    @property
    def named_steps(self) -> int:
        """The number of steps in progress; each trigger is one, as in BuildKit."""
        own = sum(
            step.on_build or isinstance(step.instruction, Copy | Add | Run | Workdir)
            for step in self.steps
        )
        return own + isinstance(self.base, FromImage | FromContext)

    @property
    def step_sources(self) -> Iterator[Source]:
        """The sources of all steps, in order."""
        for step in self.steps:
            yield from (source for source in step.sources if source is not None)

    @property
    def sources(self) -> Iterator[Source]:
        """All sources that the stage needs."""
        yield self.base
        yield from self.step_sources


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlan:
    """The stages that a target needs, including itself, in the order of the file."""

    stages: tuple[PlannedStage, ...]
    target: int  # the target's index in the file
    arguments: Mapping[str, str] = field(hash=False)
    escape: str = "\\"

    @property
    def bases(self) -> tuple[BaseName, ...]:
        """The images that the stages need, each once."""
        sources = (source for stage in self.stages for source in stage.sources)
        images = (source.name for source in sources if isinstance(source, FromImage))
        return tuple(dict.fromkeys(images))


def plan_stages(
    dockerfile: Dockerfile, request: BuildRequest, bases: Mapping[BaseName, BaseImage]
) -> StagePlan:
    """Return the stages and images of ``dockerfile`` that ``request`` needs.

    ONBUILD triggers of an image may name further images. So look up the ``bases`` of the result
    and ask again with them, until none is missing. Raises DockerfileError.
    """
    return _Planner(dockerfile, request, bases).plan()


class _Planner:
    def __init__(
        self,
        dockerfile: Dockerfile,
        request: BuildRequest,
        bases: Mapping[BaseName, BaseImage],
    ) -> None:
        self._dockerfile = dockerfile
        self._request = request
        self._bases = bases
        self._arguments = global_arguments(dockerfile, request)
        self._contexts = NamedContexts(request.contexts)
        self._indexes: dict[str, int] = {}  # the stages declared so far, by name
        self._no_image: DockerfileError | None = None

    def plan(self) -> StagePlan:
        declared = [self._declared(stage) for stage in self._dockerfile.stages]
        target = select_target(self._dockerfile.stages, self._request.target).index
        stages = [self._with_own_steps(stage) for stage in declared]
        _refuse_circles(stages)
        if self._no_image:
            raise self._no_image
        if len(stages) == 1 and not any(stages[0].step_sources):
            stages = [replace(stages[0], name="")]
        needed = self._needed(stages, target)
        if self._no_image:  # of a trigger
            raise self._no_image
        ordered = tuple(needed[index] for index in sorted(needed))
        _refuse_later_sources(ordered, stages)
        return StagePlan(
            stages=ordered,
            target=target,
            arguments=self._arguments,
            escape=self._dockerfile.escape,
        )

    def _declared(self, stage: Stage) -> PlannedStage:
        """Return ``stage`` with its base, and add its name."""
        start = stage.start
        base = self._expanded(start.base, start)
        if not base:
            raise DockerfileError(
                f"base name ({start.base}) should not be blank", lines=start.lines
            )
        platform = self._platform(start)
        replacement = (
            self._contexts.find_for_stage(start.name, platform, start.lines) if start.name else None
        )
        planned = PlannedStage(
            index=stage.index,
            start=start,
            name=start.name or f"stage-{stage.index}",
            base=replacement or self._source(base, platform, start.lines, exactly=True),
            platform=platform,
            replaced=replacement is not None,
        )
        if start.name:
            self._indexes[start.name] = stage.index
        return planned

    def _expanded(self, word: str, start: From) -> str:
        escape = self._dockerfile.escape
        return expand_word(word, self._arguments, escape, lines=start.lines).text

    def _platform(self, start: From) -> Platform:
        if not start.platform:
            return self._request.platform
        text = self._expanded(start.platform, start)
        if not text:
            raise DockerfileError(
                f"empty platform value from expression {start.platform}{self._similar(start)}",
                lines=start.lines,
            )
        try:
            return Platform.parse(text, self._request.build_platform)
        except InvalidPlatform as error:
            raise DockerfileError(
                f"failed to parse platform {start.platform}: {error.message}{self._similar(start)}",
                lines=start.lines,
            ) from None

    def _similar(self, start: From) -> str:
        """Return the suggestion for the unset variables of a platform, or ""."""
        escape = self._dockerfile.escape
        unset = expand_word(start.platform, self._arguments, escape).unmatched
        found = (did_you_mean(name, self._arguments) for name in sorted(unset))
        return next(filter(None, found), "")

    def _source(
        self, name: str, platform: Platform, lines: tuple[int, int], *, exactly: bool = False
    ) -> Source:
        """Return the source called ``name``: a stage above, scratch, a named context, or an image.

        Names of stages are lower case; FROM needs this spelling, --from accepts any case (BuildKit
        dockerfile2llb/convert.go, addState and findStateByName).
        """
        stage = name if exactly else name.lower()
        if stage in self._indexes:
            return FromStage(self._indexes[stage])
        if name == SCRATCH:
            return FromScratch()
        replacement = self._contexts.find(name, platform, lines)
        return replacement or self._image(name, platform, lines)

    def _image(self, name: str, platform: Platform, lines: tuple[int, int]) -> Source:
        """Return an image; of several invalid names the last one is refused, later, as in BuildKit.

        BuildKit looks all names up at once, after it knows the dependencies of the stages.
        """
        try:
            return image_source(name, platform, lines)
        except DockerfileError as error:
            stage = name.lower()
            hint = f"write FROM {stage}, for names of stages are lower case"
            self._no_image = DockerfileError(
                error.message, lines=lines, hint=hint if stage in self._indexes else error.hint
            )
            return FromScratch()

    def _with_own_steps(self, stage: PlannedStage) -> PlannedStage:
        if stage.replaced:
            return stage
        own = self._dockerfile.stages[stage.index].instructions
        return replace(stage, steps=tuple(self._step(each) for each in own))

    def _step(self, instruction: Instruction, *, on_build: bool = False) -> Step:
        sources: tuple[Source | None, ...] = ()
        if isinstance(instruction, Copy):
            sources = (self._copy_source(instruction),)
        elif isinstance(instruction, Run):
            platform = self._request.platform
            sources = tuple(
                self._source(mount.from_, platform, instruction.lines) if mount.from_ else None
                for mount in instruction.mounts
            )
        return Step(instruction=instruction, sources=sources, on_build=on_build)

    def _copy_source(self, copy: Copy) -> Source | None:
        name = copy.from_
        if not name:
            return None
        if expand_word(name, {}, self._dockerfile.escape, lines=copy.lines).text != name:
            raise DockerfileError(
                "variable expansion is not supported for --from, define a new stage with FROM "
                "using ARG from global scope as a workaround",
                lines=copy.lines,
            )
        if name.removeprefix("-").isdecimal():
            if len(name) > _LONGEST_INDEX or not 0 <= int(name) < len(self._dockerfile.stages):
                raise DockerfileError(f"invalid stage index {name}", lines=copy.lines)
            return FromStage(int(name))
        return self._source(name, self._request.platform, copy.lines)

    def _needed(self, stages: Sequence[PlannedStage], target: int) -> dict[int, PlannedStage]:
        """Return the stages that ``target`` needs, including the triggers of their bases."""
        needed: dict[int, PlannedStage] = {}
        waiting = [target]
        while waiting:
            index = waiting.pop()
            if index in needed:
                continue
            needed[index] = stage = self._with_triggers(stages[index], stages)
            waiting += [each.index for each in stage.sources if isinstance(each, FromStage)]
        return needed

    def _with_triggers(self, stage: PlannedStage, stages: Sequence[PlannedStage]) -> PlannedStage:
        if stage.replaced:
            return stage
        triggers = tuple(
            self._step(self._trigger(text, stage), on_build=True)
            for text in self._trigger_texts(stage.base, stages)
        )
        return replace(stage, steps=triggers + stage.steps)

    def _trigger(self, text: str, stage: PlannedStage) -> Instruction:
        # In triggers the escape character is always a backslash (BuildKit's choice).
        return interpret_onbuild(text, lines=stage.start.lines)

    def _trigger_texts(self, base: Source, stages: Sequence[PlannedStage]) -> Sequence[str]:
        """Return the ONBUILD triggers of the base, if it is known; triggers are not inherited."""
        if isinstance(base, FromStage):
            own = (step.instruction for step in stages[base.index].steps)
            return [each.expression for each in own if isinstance(each, OnBuild)]
        if isinstance(base, FromImage) and base.name in self._bases:
            return self._bases[base.name].config.run.on_build
        return ()


def _refuse_circles(stages: Sequence[PlannedStage]) -> None:
    """Refuse circular references between stages, needed or not. Raises DockerfileError."""
    steps = {stage.index: _steps_by_source(stage) for stage in stages}
    # Each circle has a stage that copies from itself or from one below it.
    circular = {
        stage.index
        for stage in stages
        for index in steps[stage.index]
        if index >= stage.index and stage.index in _copied_from(steps, index)
    }
    for stage in stages if circular else ():
        for index, step in steps[stage.index].items():
            if circular & _copied_from(steps, index):
                raise DockerfileError(
                    f"circular dependency detected on stage: {stage.name}",
                    lines=step.instruction.lines,
                )


def _steps_by_source(stage: PlannedStage) -> Mapping[int, Step]:
    """Return the stages that ``stage`` copies from, each with the last step that does."""
    return {source.index: step for _, step, source in _references([stage])}


def _references(
    stages: Iterable[PlannedStage],
) -> Iterator[tuple[PlannedStage, Step, FromStage]]:
    """Yield each --from of ``stages`` that names a stage."""
    for stage in stages:
        for step in stage.steps:
            for source in step.sources:
                if isinstance(source, FromStage):
                    yield stage, step, source


def _copied_from(steps: Mapping[int, Mapping[int, Step]], index: int) -> set[int]:
    """Return ``index`` and the stages that it copies from, directly or through others."""
    reached: set[int] = set()
    waiting = [index]
    while waiting:
        at = waiting.pop()
        if at not in reached:
            reached.add(at)
            waiting += steps[at]
    return reached


def _refuse_later_sources(needed: Iterable[PlannedStage], stages: Sequence[PlannedStage]) -> None:
    """Refuse a --from of a stage below. Raises DockerfileError."""
    for stage, step, source in _references(needed):
        if source.index < stage.index:
            continue
        name = stages[source.index].name
        message = (
            f'cannot copy from stage "{name}", it needs to be defined before current stage '
            f'"{stage.name}"'
            if isinstance(step.instruction, Copy)
            else f'cannot mount from stage "{name}" to "{stage.name}", stage needs to be '
            "defined before current command"
        )
        raise DockerfileError(message, lines=step.instruction.lines)
