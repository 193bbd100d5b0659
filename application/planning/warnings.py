"""What the build checks say of a Dockerfile for one request."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from img.domain.build import BaseImage, BaseName, BuildRequest
from img.domain.dockerfile.instructions import Dockerfile
from img.domain.dockerfile.raw import RawDockerfile
from img.domain.dockerfile.rules.check import check_file, check_stages, check_text
from img.domain.dockerfile.rules.of_base import from_lines
from img.domain.dockerfile.rules.of_step import excluded_by
from img.domain.dockerfile.rules.options import CheckOptions, options_of
from img.domain.dockerfile.rules.rule import LintWarning
from img.domain.dockerfile.stage_walk import KnownStage, Walk
from img.domain.dockerfile.variables import expand_word
from img.domain.errors import DockerfileError
from img.domain.graph.arguments import global_arguments
from img.domain.graph.sources import FromImage, FromStage
from img.domain.graph.stage_plan import PlannedStage, plan_stages
from img.domain.oci.config import RunConfig
from img.domain.process import DEFAULT_PATH

Bases = Mapping[BaseName, BaseImage]


def warnings_of(
    raw: RawDockerfile,
    dockerfile: Dockerfile,
    request: BuildRequest,
    bases: Bases,
    ignore: Sequence[str] = (),
) -> tuple[LintWarning, ...]:
    """Return the warnings of a build that was planned with ``bases``, in order of their lines.

    ``ignore`` are the patterns of .dockerignore. Steps of stages that the target does not need say
    nothing. Raises DockerfileError for options of the checks that mean nothing.
    """
    options = options_of(raw, request.build_args)
    stages = plan_stages(dockerfile, request, bases).stages
    known = known_stages(dockerfile, request, stages, bases)
    warnings = [
        *check_text(raw, options),
        *warnings_of_file(dockerfile, request, options),
        *check_stages(known, walk_of(dockerfile, request), excluded_by(ignore), options),
    ]
    return tuple(sorted(warnings))


def warnings_of_file(
    dockerfile: Dockerfile, request: BuildRequest, options: CheckOptions
) -> Iterator[LintWarning]:
    """Yield the warnings that need no base images. Raises DockerfileError."""
    lines = from_lines(
        dockerfile,
        global_arguments(dockerfile, request),
        _default_arguments(dockerfile, request),
        request.build_platform,
    )
    return check_file(dockerfile, lines, options)


def walk_of(dockerfile: Dockerfile, request: BuildRequest) -> Walk:
    """Return what the stages have in common. Raises DockerfileError."""
    return Walk(
        global_arguments=global_arguments(dockerfile, request),
        build_args=request.build_args,
        escape=dockerfile.escape,
    )


def known_stages(
    dockerfile: Dockerfile, request: BuildRequest, stages: Iterable[PlannedStage], bases: Bases
) -> list[KnownStage]:
    """Return ``stages`` with what their base images, found among ``bases``, say."""
    arguments = global_arguments(dockerfile, request)
    return [_known(stage, bases, arguments, dockerfile.escape) for stage in stages]


def _known(
    stage: PlannedStage, bases: Bases, arguments: Mapping[str, str], escape: str
) -> KnownStage:
    base = bases[stage.base.name] if isinstance(stage.base, FromImage) else None
    run = base.config.run if base else RunConfig()
    path = {} if stage.platform.os == "windows" else {"PATH": DEFAULT_PATH}
    has_files = base is not None and bool(base.config.diff_ids)
    return KnownStage(
        index=stage.index,
        start=stage.start,
        instructions=tuple(step.instruction for step in stage.steps),
        platform=stage.platform,
        base=stage.base.index if isinstance(stage.base, FromStage) else None,
        sources=tuple(each.index for each in stage.step_sources if isinstance(each, FromStage)),
        image=expand_word(stage.start.base, arguments, escape).text,
        # Without files an image is as good as scratch, and a named context was chosen on purpose.
        image_platform=base.config.platform if base and has_files and not stage.replaced else None,
        env={**path, **dict(run.env)},
        has_shell=bool(run.shell),
    )


def _default_arguments(dockerfile: Dockerfile, request: BuildRequest) -> Mapping[str, str] | None:
    """Return the global arguments if none were given, None if that is an error."""
    declared = {argument.name for arg in dockerfile.meta_args for argument in arg.arguments}
    given = {name: text for name, text in request.build_args.items() if name not in declared}
    try:
        return global_arguments(dockerfile, replace(request, build_args=given))
    except DockerfileError:
        return None
