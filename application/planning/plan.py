"""A request and a Dockerfile become a plan."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from img.application.planning.resolve import BaseUnavailable, ResolveBases, ResolvedBase
from img.application.planning.warnings import warnings_of
from img.application.ports.dockerfile_parser import DockerfileParser
from img.domain.build import BaseName, BuildRequest
from img.domain.dataclass import dataclass
from img.domain.dockerfile.frontend import OVERRIDE, check_frontend
from img.domain.dockerfile.instructions import Dockerfile
from img.domain.dockerfile.interpret import interpret
from img.domain.dockerfile.rules.options import refuse_violations
from img.domain.dockerfile.rules.rule import LintWarning
from img.domain.dockerfile.suggestion import closest
from img.domain.graph.arguments import (
    global_arguments,
    source_date_epoch,
    with_source_date_epoch,
)
from img.domain.graph.lower import bases_of, lower
from img.domain.graph.vertex import Plan


def _no_time(_context: str) -> None:
    """Return that nothing is known of when a context was made."""


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
        self,
        dockerfile: bytes,
        request: BuildRequest,
        ignore: tuple[str, ...] = (),
        time_of: Callable[[str], int | None] = _no_time,
    ) -> Planned:
        """Return the plan for a context that leaves out what the patterns ``ignore`` exclude.

        ``time_of`` tells the time of a context, for a SOURCE_DATE_EPOCH that names one.
        Raises DockerfileError, BaseUnavailable; LintViolation where warnings are to be errors.
        """
        text = dockerfile.decode("utf-8", "replace")
        check_frontend(text, request.build_args.get(OVERRIDE, ""))
        raw = self.parser.parse(dockerfile)
        understood = interpret(raw)
        epoch = source_date_epoch(request, global_arguments(understood, request))
        if isinstance(epoch, str):
            understood, request = with_source_date_epoch(understood, request, time_of(epoch))
        bases: dict[BaseName, ResolvedBase] = {}
        # ONBUILD triggers of a base may name further images, so ask until nothing is missing.
        while missing := [
            name
            for name in bases_of(understood, request, {n: b.image for n, b in bases.items()})
            if name not in bases
        ]:
            with _naming_stages(understood, request):
                bases.update(self.resolve(missing, pull=request.pull))
        images = {name: base.image for name, base in bases.items()}
        plan = lower(understood, request, images)
        warnings = warnings_of(raw, understood, request, images, ignore)
        refuse_violations(raw, request.build_args, warnings)
        return Planned(plan=plan, bases=bases, warnings=warnings)


@contextmanager
def _naming_stages(dockerfile: Dockerfile, request: BuildRequest) -> Iterator[None]:
    """Propose, of an image that cannot be had, the stage or context that was meant."""
    try:
        yield
    except BaseUnavailable as error:
        stages = [stage.start.name for stage in dockerfile.stages if stage.start.name]
        word = error.name.text.removeprefix("docker.io/library/").removesuffix(":latest")
        near = closest(word, [*stages, *request.contexts])
        if near:
            meant = f"the context {near}" if near in request.contexts else f"the stage {near}"
            error.hint = f"did you mean {meant}?"
        raise
