"""Plans of one Dockerfile for the platforms of a build."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from img.application.planning.analyse import AnalyseDockerfile, ParsedDockerfile
from img.application.planning.plan import Planned, plan_build
from img.application.planning.resolve import ResolvedBase
from img.application.ports.build_context import DockerfileText
from img.application.ports.progress_sink import ProgressSink
from img.application.transfer.pins import Pins
from img.application.transfer.source_guard import NoGuard, SourceGuard
from img.domain.build import BaseName, BuildRequest
from img.domain.dataclass import dataclass
from img.domain.dockerfile.frontend import OVERRIDE, check_frontend
from img.domain.errors import BuildError, DockerfileError, ImgError, UsageError
from img.domain.go.booleans import parse_boolean
from img.domain.graph.operations import Exec
from img.domain.graph.vertex import Plan
from img.domain.platform import Platform
from img.domain.progress import SourceLines, VertexDone, VertexFailed, VertexWarning

DEFINITION = "definition"
"""The ID of the vertex in which the Dockerfile is read."""

_MULTI_PLATFORM = "BUILDKIT_MULTI_PLATFORM"


class ForeignStep(BuildError):
    """A RUN is for a processor that this machine neither has nor emulates."""

    def __init__(self, platform: Platform, lines: tuple[int, int] | None) -> None:
        super().__init__(
            f"RUN for {platform} is not possible: this machine runs no such programs",
            lines=lines,
            hint="install qemu-user-static with binfmt support, or use --platform=$BUILDPLATFORM",
        )
        self.platform = platform


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPlatforms:
    """Plans a Dockerfile for each platform, and shows its warnings."""

    analyse: AnalyseDockerfile
    progress: ProgressSink
    runs: Callable[[Exec, Platform], bool]  # whether a RUN for the platform is possible
    guard: SourceGuard
    pins: Pins

    def __call__(
        self,
        dockerfile: DockerfileText,
        requests: Sequence[BuildRequest],
        time_of: Callable[[str], int | None],
    ) -> tuple[ParsedDockerfile, Sequence[tuple[BuildRequest, Planned]]]:
        """Return the parsed Dockerfile, and a plan for each request; show the warnings.

        An image is looked up once. Raises DockerfileError, ForeignStep, StepForbidden, and what
        the resolution of bases raises.
        """
        with self._shown():
            parsed = self._parsed(dockerfile, requests[0])
            planned = self._planned(parsed, requests, time_of)
        self._warn(planned[0][1], dockerfile)
        return parsed, planned

    @contextmanager
    def _shown(self) -> Iterator[None]:
        """End the vertex of the Dockerfile on an error, as failed if the Dockerfile caused it."""
        try:
            yield
        except DockerfileError as error:
            self.progress.emit(VertexFailed(vertex=DEFINITION, message=error.message))
            raise
        except ImgError:
            self.progress.emit(VertexDone(vertex=DEFINITION))
            raise

    def _parsed(self, source: DockerfileText, request: BuildRequest) -> ParsedDockerfile:
        text = source.content.decode("utf-8", "replace")
        check_frontend(text, request.build_args.get(OVERRIDE, ""))
        return self.analyse.parse(source)

    def _planned(
        self,
        parsed: ParsedDockerfile,
        requests: Sequence[BuildRequest],
        time_of: Callable[[str], int | None],
    ) -> Sequence[tuple[BuildRequest, Planned]]:
        bases: dict[BaseName, ResolvedBase] = {}
        planned: list[tuple[BuildRequest, Planned]] = []
        for request in requests:
            analysis = self.analyse(parsed, request, known=bases, time_of=time_of)
            bases.update(analysis.bases)
            one = plan_build(analysis)
            one = self._guarded(one)
            self._refuse_foreign_steps(one.plan)
            planned.append((request, one))
        return planned

    def _guarded(self, planned: Planned) -> Planned:
        """Return the plan with the downloads that policies want. Raises StepForbidden."""
        if isinstance(self.guard, NoGuard):
            return planned
        from img.application.policy.guard import guarded_plan  # few builds have policies

        return replace(planned, plan=guarded_plan(planned.plan, self.guard, self.pins))

    def _refuse_foreign_steps(self, plan: Plan) -> None:
        """Raise ForeignStep for a RUN that is not possible."""
        for position in plan.graph.needed_for(plan.target):
            vertex = plan.graph.vertices[position]
            match vertex.operation:
                case Exec(platform=Platform() as platform) as step:
                    if not self.runs(step, platform):
                        raise ForeignStep(platform, vertex.lines)

    def _warn(self, planned: Planned, source: DockerfileText) -> None:
        for warning in planned.warnings:
            lines = SourceLines(
                file=source.name, path=source.path, text=source.content, lines=warning.lines
            )
            event = VertexWarning(
                vertex=DEFINITION,
                message=warning.summary,
                detail=warning.description,
                url=warning.url,
                source=lines,
            )
            self.progress.emit(event)
        self.progress.emit(VertexDone(vertex=DEFINITION))


def requests_for(request: BuildRequest, platforms: Sequence[Platform]) -> Sequence[BuildRequest]:
    """Return a request for each platform.

    Several ``platforms`` make an index, and a single one too with the build arg
    BUILDKIT_MULTI_PLATFORM; without any, the platform of the request is built. Raises UsageError.
    """
    multi_platform = _is_multi_platform(request, platforms)
    return [
        replace(
            request,
            platform=platform,
            implicit_platform=not platforms,
            multi_platform=multi_platform,
        )
        for platform in platforms or (request.platform,)
    ]


def _is_multi_platform(request: BuildRequest, platforms: Sequence[Platform]) -> bool:
    """Return whether to make an index (BuildKit frontend/dockerui/config.go). Raises UsageError."""
    several = len(platforms) > 1
    text = request.build_args.get(_MULTI_PLATFORM, "")
    wanted = parse_boolean(text)
    if text and wanted is None:
        raise UsageError(f"invalid boolean value for {_MULTI_PLATFORM}: {text}")
    if several and wanted is False:
        raise UsageError(
            f"{_MULTI_PLATFORM}={text} is not possible for several platforms",
            hint="leave it out, or build for one platform",
        )
    return several or wanted is True
