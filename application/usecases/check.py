"""Checks and summaries of Dockerfiles without building: ``--check``, ``--call``."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from img.application.planning.analyse import (
    AnalyseDockerfile,
    Analysis,
    ParsedDockerfile,
    excerpts_of,
    ignore_patterns_of,
)
from img.application.planning.resolve import ResolvedBase
from img.application.planning.warnings import known_stages, walk_of, warnings_of_file
from img.application.ports.build_context import Dockerfiles, DockerfileText
from img.application.ports.dockerfile_parser import DockerfileParser
from img.application.ports.state_lock import StateLock
from img.domain.build import BaseImage, BaseName, BuildRequest
from img.domain.dataclass import dataclass
from img.domain.dockerfile.instructions import Dockerfile, From, Instruction
from img.domain.dockerfile.interpret import arrange, interpret, interpret_each
from img.domain.dockerfile.outline import Outline, outline_of
from img.domain.dockerfile.raw import RawDockerfile
from img.domain.dockerfile.rules.check import check_instructions, check_stages
from img.domain.dockerfile.rules.of_step import excluded_by
from img.domain.dockerfile.rules.options import options_of, refuse_violations
from img.domain.dockerfile.rules.rule import LintWarning
from img.domain.dockerfile.stages import select_target
from img.domain.dockerfile.targets import BuildTarget, targets_of
from img.domain.errors import DockerfileError, SourceError
from img.domain.graph.arguments import global_arguments
from img.domain.graph.lower import lower
from img.domain.graph.stage_plan import PlannedStage

_TARGET_STAGE = "TARGETSTAGE"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedDockerfile:
    """The warnings in the order of lines, and the error of a build if it would fail."""

    source: DockerfileText
    warnings: tuple[LintWarning, ...]
    error: SourceError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlinedDockerfile:
    """The outline of a target: its arguments, secrets and agents."""

    source: DockerfileText
    outline: Outline


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedTargets:
    """The targets of a Dockerfile."""

    source: DockerfileText
    targets: tuple[BuildTarget, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckDockerfile:
    """``--check``: the rules for all stages of a Dockerfile, or for those the target needs."""

    dockerfiles: Dockerfiles
    analyse: AnalyseDockerfile
    lock: StateLock

    def __call__(
        self, request: BuildRequest, *, location: str, file: str | None = None
    ) -> CheckedDockerfile:
        """Return the warnings, and the error of a build if it would fail. Raises ContextError."""
        source = self.dockerfiles.dockerfile(location, file)
        warnings: list[LintWarning] = []
        error: SourceError | None = None
        try:
            with self.lock.reading(), excerpts_of(source):
                raw = self.analyse.parser.parse(source.content)
                for warning in self._warnings(raw, request, ignore_patterns_of(source)):
                    warnings.append(warning)  # those before an error are kept
                refuse_violations(raw, request.build_args, warnings)
        except SourceError as failure:
            error = failure
        return CheckedDockerfile(source=source, warnings=tuple(sorted(warnings)), error=error)

    def _warnings(
        self, raw: RawDockerfile, request: BuildRequest, ignore: tuple[str, ...]
    ) -> Iterator[LintWarning]:
        options = options_of(raw, request.build_args)
        read: list[From | Instruction] = []
        yield from check_instructions(raw, _recorded(interpret_each(raw), read), options)
        dockerfile = arrange(raw, read)
        arguments = global_arguments(dockerfile, request)
        yield from warnings_of_file(dockerfile, request, arguments, options)
        parsed = ParsedDockerfile(raw=raw, dockerfile=dockerfile, ignore=ignore)
        analyses = self._analyses(parsed, request)
        stages, bases = _stages_of(analyses), _bases_of(analyses)
        error = _first_error(analyses)
        known = known_stages(analyses[0], stages, bases)
        for warning in check_stages(known, walk_of(analyses[0]), excluded_by(ignore), options):
            if error is None or error.lines is None or warning.lines <= error.lines:
                yield warning
        if error:
            raise error

    def _analyses(self, parsed: ParsedDockerfile, request: BuildRequest) -> Sequence[Analysis]:
        """Return analyses that together have all stages to check, the target's first."""
        analyses: list[Analysis] = []
        seen: set[int] = set()
        known: dict[BaseName, ResolvedBase] = {}
        for index, one in _requests(parsed.dockerfile, request):
            if index not in seen:
                analysis = self.analyse(parsed, one, known=known)
                known.update(analysis.bases)
                seen.update(stage.index for stage in analysis.stages.stages)
                analyses.append(analysis)
        return analyses


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlineDockerfile:
    """``--call=outline``."""

    dockerfiles: Dockerfiles
    analyse: AnalyseDockerfile
    lock: StateLock

    def __call__(
        self, request: BuildRequest, *, location: str, file: str | None = None
    ) -> OutlinedDockerfile:
        """Return the target's arguments, secrets and agents.

        Raises ContextError, DockerfileError, BaseUnavailable.
        """
        source = self.dockerfiles.dockerfile(location, file)
        with self.lock.reading(), excerpts_of(source):
            analysis = self.analyse(self.analyse.parse(source), request)
            # Errors of a build are errors of the outline too.
            lower(analysis.stages, analysis.request, analysis.images)
            dockerfile = analysis.dockerfile
            outline = outline_of(
                dockerfile,
                known_stages(analysis),
                analysis.stages.target,
                walk_of(analysis),
                global_arguments(replace(dockerfile, meta_args=()), request),
            )
        return OutlinedDockerfile(source=source, outline=outline)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListTargets:
    """``--call=targets``."""

    dockerfiles: Dockerfiles
    parser: DockerfileParser

    def __call__(self, *, location: str, file: str | None = None) -> ListedTargets:
        """Return the targets. Raises ContextError, DockerfileError."""
        source = self.dockerfiles.dockerfile(location, file)
        with excerpts_of(source):
            dockerfile = interpret(self.parser.parse(source.content))
        return ListedTargets(source=source, targets=targets_of(dockerfile))


def _recorded(
    instructions: Iterable[From | Instruction], into: list[From | Instruction]
) -> Iterator[From | Instruction]:
    for instruction in instructions:
        into.append(instruction)
        yield instruction


def _stages_of(analyses: Iterable[Analysis]) -> Sequence[PlannedStage]:
    """Return all stages of ``analyses``, each once, in the order of the file."""
    stages = {stage.index: stage for analysis in analyses for stage in analysis.stages.stages}
    return [stages[index] for index in sorted(stages)]


def _bases_of(analyses: Iterable[Analysis]) -> Mapping[BaseName, BaseImage]:
    return {name: image for analysis in analyses for name, image in analysis.images.items()}


def _first_error(analyses: Iterable[Analysis]) -> DockerfileError | None:
    """Return the first error in the file of those that make a build fail."""
    errors: list[DockerfileError] = []
    for analysis in analyses:
        try:
            lower(analysis.stages, analysis.request, analysis.images)
        except DockerfileError as error:
            errors.append(error)
    return min(errors, key=lambda error: error.lines or (0, 0), default=None)


def _requests(dockerfile: Dockerfile, request: BuildRequest) -> Sequence[tuple[int, BuildRequest]]:
    """Return requests that together need all stages to check, with the index of their targets.

    Without a target these are all stages, with the same TARGETSTAGE as in a build.
    """
    stages = dockerfile.stages
    if request.target:
        return [(select_target(stages, request.target).index, request)]
    target = {_TARGET_STAGE: global_arguments(dockerfile, request)[_TARGET_STAGE]}
    other = replace(request, build_args={**target, **request.build_args})
    return [
        (stages[-1].index, request),
        *(
            (stage.index, replace(other, target=str(stage.index)))
            for stage in reversed(stages[:-1])
        ),
    ]
