"""Warnings of the build checks for one analysis of a Dockerfile."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from img.application.planning.analyse import Analysis
from img.domain.build import BaseImage, BaseName, BuildRequest
from img.domain.dockerfile.instructions import Dockerfile
from img.domain.dockerfile.rules.check import check_file, check_instructions, check_stages
from img.domain.dockerfile.rules.of_base import from_lines
from img.domain.dockerfile.rules.of_step import excluded_by
from img.domain.dockerfile.rules.options import CheckOptions, options_of
from img.domain.dockerfile.rules.rule import LintWarning
from img.domain.dockerfile.stage_walk import KnownStage, Walk
from img.domain.dockerfile.variables import expand_word
from img.domain.errors import DockerfileError
from img.domain.graph.arguments import global_arguments
from img.domain.graph.settings import with_path
from img.domain.graph.sources import FromImage, FromStage
from img.domain.graph.stage_plan import PlannedStage
from img.domain.oci.config import RunConfig

Bases = Mapping[BaseName, BaseImage]


def warnings_of(analysis: Analysis) -> tuple[LintWarning, ...]:
    """Return the warnings of a build, in order of their lines.

    Steps of stages that the target does not need have no warnings. Raises DockerfileError for
    invalid options of the checks.
    """
    options = options_of(analysis.raw, analysis.request.build_args)
    dockerfile, stages = analysis.dockerfile, known_stages(analysis)
    warnings = [
        *check_instructions(analysis.raw, dockerfile.instructions, options),
        *warnings_of_file(dockerfile, analysis.request, analysis.arguments, options),
        *check_stages(stages, walk_of(analysis), excluded_by(analysis.ignore), options),
    ]
    return tuple(sorted(warnings))


def warnings_of_file(
    dockerfile: Dockerfile,
    request: BuildRequest,
    arguments: Mapping[str, str],
    options: CheckOptions,
) -> Iterator[LintWarning]:
    """Yield the warnings that need no base images. Raises DockerfileError."""
    defaults = _default_arguments(dockerfile, request)
    lines = from_lines(dockerfile, arguments, defaults, request.build_platform)
    return check_file(dockerfile, lines, options)


def walk_of(analysis: Analysis) -> Walk:
    """Return the arguments and the escape character of all stages."""
    return Walk(
        global_arguments=analysis.arguments,
        build_args=analysis.request.build_args,
        escape=analysis.dockerfile.escape,
    )


def known_stages(
    analysis: Analysis, stages: Iterable[PlannedStage] | None = None, bases: Bases | None = None
) -> list[KnownStage]:
    """Return the stages with the configs of their base images.

    ``stages`` and ``bases`` are those of the analysis, or of several analyses with the same
    arguments.
    """
    stages = analysis.stages.stages if stages is None else stages
    bases = analysis.images if bases is None else bases
    escape = analysis.dockerfile.escape
    return [_known(stage, bases, analysis.arguments, escape) for stage in stages]


def _known(
    stage: PlannedStage, bases: Bases, arguments: Mapping[str, str], escape: str
) -> KnownStage:
    base = bases[stage.base.name] if isinstance(stage.base, FromImage) else None
    run = base.config.run if base else RunConfig()
    has_files = base is not None and bool(base.config.diff_ids)
    return KnownStage(
        index=stage.index,
        start=stage.start,
        instructions=tuple(step.instruction for step in stage.steps),
        platform=stage.platform,
        base=stage.base.index if isinstance(stage.base, FromStage) else None,
        sources=tuple(each.index for each in stage.step_sources if isinstance(each, FromStage)),
        image=expand_word(stage.start.base, arguments, escape).text,
        # An image without files suits any platform, and a named context was chosen on purpose.
        image_platform=base.config.platform if base and has_files and not stage.replaced else None,
        env=dict(with_path(run, stage.platform).env),
        has_shell=bool(run.shell),
    )


def _default_arguments(dockerfile: Dockerfile, request: BuildRequest) -> Mapping[str, str] | None:
    """Return the global arguments without --build-arg, None if that is an error."""
    declared = {argument.name for arg in dockerfile.meta_args for argument in arg.arguments}
    given = {name: text for name, text in request.build_args.items() if name not in declared}
    try:
        return global_arguments(dockerfile, replace(request, build_args=given))
    except DockerfileError:
        return None
