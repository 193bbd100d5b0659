"""A request and a Dockerfile become a plan."""

from collections.abc import Mapping
from dataclasses import dataclass

from img.application.planning.resolve import ResolveBases, ResolvedBase
from img.application.ports.dockerfile_parser import DockerfileParser
from img.domain.build import BaseName, BuildRequest
from img.domain.dockerfile.frontend import OVERRIDE, check_frontend
from img.domain.dockerfile.interpret import interpret
from img.domain.graph.lower import bases_of, lower
from img.domain.graph.vertex import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanBuild:
    """Reads the Dockerfile, finds the bases, lowers the stages that are needed."""

    parser: DockerfileParser
    resolve: ResolveBases

    def __call__(
        self, dockerfile: bytes, request: BuildRequest
    ) -> tuple[Plan, Mapping[BaseName, ResolvedBase]]:
        """Return the plan, and the bases by name. Raises DockerfileError, BaseUnavailable."""
        text = dockerfile.decode("utf-8", "replace")
        check_frontend(text, request.build_args.get(OVERRIDE, ""))
        understood = interpret(self.parser.parse(dockerfile))
        bases: dict[BaseName, ResolvedBase] = {}
        # ONBUILD triggers of a base may name further images, so ask until nothing is missing.
        while missing := [
            name
            for name in bases_of(understood, request, {n: b.image for n, b in bases.items()})
            if name not in bases
        ]:
            bases.update(self.resolve(missing, pull=request.pull))
        return lower(understood, request, {n: b.image for n, b in bases.items()}), bases
