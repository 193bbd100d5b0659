"""The plan of a build: what is done, for one image of one platform."""

from collections.abc import Mapping

from img.application.planning.analyse import Analysis
from img.application.planning.resolve import ResolvedBase
from img.application.planning.warnings import warnings_of
from img.domain.build import BaseName
from img.domain.dataclass import dataclass
from img.domain.dockerfile.rules.options import refuse_violations
from img.domain.dockerfile.rules.rule import LintWarning
from img.domain.graph.lower import lower
from img.domain.graph.stage_plan import StagePlan
from img.domain.graph.vertex import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plan, the base images it needs, and the warnings of the build checks."""

    plan: Plan
    bases: Mapping[BaseName, ResolvedBase]
    warnings: tuple[LintWarning, ...]
    stages: StagePlan
    ignore: tuple[str, ...] = ()  # the patterns of .dockerignore


def plan_build(analysis: Analysis) -> Planned:
    """Return the plan. Raises DockerfileError; LintViolation where warnings are errors."""
    plan = lower(analysis.stages, analysis.request, analysis.images)
    warnings = warnings_of(analysis)
    refuse_violations(analysis.raw, analysis.request.build_args, warnings)
    return Planned(
        plan=plan,
        bases=analysis.bases,
        warnings=warnings,
        stages=analysis.stages,
        ignore=analysis.ignore,
    )
