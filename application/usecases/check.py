"""Questions about a Dockerfile that are answered without building: ``--check``, ``--call``."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

from img.application.planning.resolve import ResolvedBase
from img.application.planning.warnings import known_stages, walk_of, warnings_of_file
from img.application.ports.build_context import Dockerfiles, DockerfileText
from img.application.ports.dockerfile_parser import DockerfileParser
from img.application.ports.state_lock import StateLock
from img.domain.build import BaseImage, BaseName, BuildRequest
from img.domain.dataclass import dataclass
from img.domain.dockerfile.excerpt import render_excerpt
from img.domain.dockerfile.ignore import read_ignore_patterns
from img.domain.dockerfile.instructions import Dockerfile
from img.domain.dockerfile.interpret import interpret
from img.domain.dockerfile.outline import Outline, outline_of
from img.domain.dockerfile.raw import RawDockerfile
from img.domain.dockerfile.rules.check import check_stages, check_text
from img.domain.dockerfile.rules.of_step import excluded_by
from img.domain.dockerfile.rules.options import options_of, refuse_violations
from img.domain.dockerfile.rules.rule import LintWarning
from img.domain.dockerfile.stages import select_target
from img.domain.dockerfile.targets import BuildTarget, targets_of
from img.domain.errors import DockerfileError, SourceError
from img.domain.graph.arguments import global_arguments
from img.domain.graph.lower import lower
from img.domain.graph.stage_plan import PlannedStage, StagePlan, plan_stages
from img.domain.pull_policy import PullPolicy

_TARGET_STAGE = "TARGETSTAGE"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedDockerfile:
    """What the checks found, in order of lines, and why a build would fail, if it would."""

    source: DockerfileText
    warnings: tuple[LintWarning, ...]
    error: SourceError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlinedDockerfile:
    """What a target takes from outside."""

    source: DockerfileText
    outline: Outline


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedTargets:
    """What there is to build."""

    source: DockerfileText
    targets: tuple[BuildTarget, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stages:
    """Stages that are planned, and what is wrong in one of them."""

    planned: tuple[PlannedStage, ...]
    error: DockerfileError | None


class FindBases(Protocol):
    """Looks images up, as ResolveBases does."""

    def __call__(
        self, names: Iterable[BaseName], *, pull: PullPolicy = PullPolicy.MISSING
    ) -> Mapping[BaseName, ResolvedBase]:
        """Return each image. Raises BaseUnavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanStages:
    """Finds what stages start from; images are looked up, no layer is fetched."""

    resolve: FindBases

    def __call__(
        self, dockerfile: Dockerfile, request: BuildRequest, bases: dict[BaseName, BaseImage]
    ) -> StagePlan:
        """Return the stages that the target needs, their images added to ``bases``.

        Raises DockerfileError, BaseUnavailable.
        """
        while True:  # ONBUILD triggers of an image may name further images
            plan = plan_stages(dockerfile, request, bases)
            missing = [name for name in plan.bases if name not in bases]
            if not missing:
                return plan
            found = self.resolve(missing, pull=request.pull)
            bases.update({name: base.image for name, base in found.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckDockerfile:
    """Applies the rules to a Dockerfile: to all stages, or to those the target needs."""

    dockerfiles: Dockerfiles
    parser: DockerfileParser
    plan: PlanStages
    lock: StateLock

    def __call__(
        self, request: BuildRequest, *, location: str, file: str | None = None
    ) -> CheckedDockerfile:
        """Return the warnings up to what a build would fail of. Raises ContextError."""
        source = self.dockerfiles.dockerfile(location, file)
        warnings: list[LintWarning] = []
        error: SourceError | None = None
        try:
            with self.lock.reading(), excerpts_of(source):
                raw = self.parser.parse(source.content)
                for warning in self._warnings(raw, request, source):
                    warnings.append(warning)  # those before an error stay
                refuse_violations(raw, request.build_args, warnings)
        except SourceError as failure:
            error = failure
        return CheckedDockerfile(source=source, warnings=tuple(sorted(warnings)), error=error)

    def _warnings(
        self, raw: RawDockerfile, request: BuildRequest, source: DockerfileText
    ) -> Iterator[LintWarning]:
        options = options_of(raw, request.build_args)
        ignore = () if source.ignore is None else read_ignore_patterns(source.ignore)
        yield from check_text(raw, options)
        dockerfile = interpret(raw)
        yield from warnings_of_file(dockerfile, request, options)
        bases: dict[BaseName, BaseImage] = {}
        stages = self._stages(dockerfile, request, bases)
        known = known_stages(dockerfile, request, stages.planned, bases)
        walk, error = walk_of(dockerfile, request), stages.error
        for warning in check_stages(known, walk, excluded_by(ignore), options):
            if error is None or error.lines is None or warning.lines <= error.lines:
                yield warning
        if error:
            raise error

    def _stages(
        self, dockerfile: Dockerfile, request: BuildRequest, bases: dict[BaseName, BaseImage]
    ) -> _Stages:
        planned: dict[int, PlannedStage] = {}
        errors: list[DockerfileError] = []
        for index, one in _requests(dockerfile, request):
            if index in planned:
                continue
            plan = self.plan(dockerfile, one, bases)
            planned.update({stage.index: stage for stage in plan.stages})
            try:
                lower(dockerfile, one, bases)
            except DockerfileError as error:
                errors.append(error)
        errors.sort(key=lambda error: error.lines or (0, 0))
        return _Stages(
            planned=tuple(planned[index] for index in sorted(planned)),
            error=errors[0] if errors else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlineDockerfile:
    """Tells what may be given to a build of a target."""

    dockerfiles: Dockerfiles
    parser: DockerfileParser
    plan: PlanStages
    lock: StateLock

    def __call__(
        self, request: BuildRequest, *, location: str, file: str | None = None
    ) -> OutlinedDockerfile:
        """Return the target's arguments, secrets and agents.

        Raises ContextError, DockerfileError, BaseUnavailable.
        """
        source = self.dockerfiles.dockerfile(location, file)
        with self.lock.reading(), excerpts_of(source):
            dockerfile = interpret(self.parser.parse(source.content))
            bases: dict[BaseName, BaseImage] = {}
            plan = self.plan(dockerfile, request, bases)
            lower(dockerfile, request, bases)  # what no build gets beyond is an error here too
            outline = outline_of(
                dockerfile,
                known_stages(dockerfile, request, plan.stages, bases),
                plan.target,
                walk_of(dockerfile, request),
                global_arguments(replace(dockerfile, meta_args=()), request),
            )
        return OutlinedDockerfile(source=source, outline=outline)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListTargets:
    """Lists the stages of a Dockerfile."""

    dockerfiles: Dockerfiles
    parser: DockerfileParser

    def __call__(self, *, location: str, file: str | None = None) -> ListedTargets:
        """Return the targets. Raises ContextError, DockerfileError."""
        source = self.dockerfiles.dockerfile(location, file)
        with excerpts_of(source):
            dockerfile = interpret(self.parser.parse(source.content))
        return ListedTargets(source=source, targets=targets_of(dockerfile))


@contextmanager
def excerpts_of(dockerfile: DockerfileText) -> Iterator[None]:
    """Show in errors that know their lines what stands there."""
    try:
        yield
    except SourceError as error:
        if error.lines is not None and not error.excerpt:
            text = dockerfile.content.decode("utf-8", "replace")
            error.excerpt = render_excerpt(dockerfile.name, text, error.lines)
        raise


def _requests(dockerfile: Dockerfile, request: BuildRequest) -> Sequence[tuple[int, BuildRequest]]:
    """Return requests that together need all stages that are to be checked.

    Without a target that is every one, and all see the same TARGETSTAGE, as in a build.
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
