"""A request and a Dockerfile become a plan."""

from collections.abc import Mapping

from img.application.planning.resolve import ResolveBases, ResolvedBase
from img.application.planning.warnings import warnings_of
from img.application.ports.dockerfile_parser import DockerfileParser
from img.domain.build import BaseName, BuildRequest
from img.domain.dataclass import dataclass
from img.domain.dockerfile.frontend import OVERRIDE, check_frontend
from img.domain.dockerfile.interpret import interpret
from img.domain.dockerfile.rules.options import refuse_violations
from img.domain.dockerfile.rules.rule import LintWarning
from img.domain.graph.lower import bases_of, lower
from img.domain.graph.vertex import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plan, the bases it stands on by name, and what the checks found on the way."""

    plan: Plan
    bases: Mapping[BaseName, ResolvedBase]
    warnings: tuple[LintWarning, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanBuild:
    """Reads the Dockerfile, finds the bases, lowers the stages that are needed."""

    parser: DockerfileParser
    resolve: ResolveBases

    def __call__(
        self, dockerfile: bytes, request: BuildRequest, ignore: tuple[str, ...] = ()
    ) -> Planned:
        """Return the plan for a context that leaves out what the patterns ``ignore`` exclude.

        Raises DockerfileError, BaseUnavailable; LintViolation where warnings are to be errors.
        """
        text = dockerfile.decode("utf-8", "replace")
        check_frontend(text, request.build_args.get(OVERRIDE, ""))
        raw = self.parser.parse(dockerfile)
        understood = interpret(raw)
        bases: dict[BaseName, ResolvedBase] = {}
        # ONBUILD triggers of a base may name further images, so ask until nothing is missing.
        while missing := [
            name
            for name in bases_of(understood, request, {n: b.image for n, b in bases.items()})
            if name not in bases
        ]:
            bases.update(self.resolve(missing, pull=request.pull))
        images = {name: base.image for name, base in bases.items()}
        plan = lower(understood, request, images)
        warnings = warnings_of(raw, understood, request, images, ignore)
        refuse_violations(raw, request.build_args, warnings)
        return Planned(plan=plan, bases=bases, warnings=warnings)
