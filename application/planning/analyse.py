"""A parsed Dockerfile, and the stages and base images that a request needs of it."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from img.application.planning.resolve import BaseUnavailable, ResolvedBase
from img.application.ports.build_context import DockerfileText
from img.application.ports.dockerfile_parser import DockerfileParser
from img.domain.build import BaseImage, BaseName, BuildRequest
from img.domain.dataclass import dataclass
from img.domain.dockerfile.ignore import read_ignore_patterns
from img.domain.dockerfile.instructions import Dockerfile
from img.domain.dockerfile.interpret import interpret
from img.domain.dockerfile.raw import RawDockerfile
from img.domain.dockerfile.suggestion import closest
from img.domain.errors import SourceError
from img.domain.graph.arguments import (
    global_arguments,
    source_date_epoch,
    with_source_date_epoch,
)
from img.domain.graph.stage_plan import StagePlan, plan_stages
from img.domain.pull_policy import PullPolicy


class FindBases(Protocol):
    """Finds base images, as ResolveBases does."""

    @abstractmethod
    def __call__(
        self, names: Iterable[BaseName], *, pull: PullPolicy = PullPolicy.MISSING
    ) -> Mapping[BaseName, ResolvedBase]:
        """Return each image. Raises BaseUnavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedDockerfile:
    """The instructions of a Dockerfile, the same for all platforms."""

    raw: RawDockerfile
    dockerfile: Dockerfile
    ignore: tuple[str, ...] = ()  # the patterns of .dockerignore


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """The stages and base images that one request needs of a Dockerfile.

    In ``request`` and ``dockerfile`` SOURCE_DATE_EPOCH is in seconds, if the time of the context
    that it names was asked for.
    """

    raw: RawDockerfile
    dockerfile: Dockerfile
    ignore: tuple[str, ...]
    request: BuildRequest
    stages: StagePlan
    bases: Mapping[BaseName, ResolvedBase]

    @property
    def arguments(self) -> Mapping[str, str]:
        """The ARGs above the first FROM, and the predefined ones, with their values."""
        return self.stages.arguments

    @property
    def images(self) -> Mapping[BaseName, BaseImage]:
        """The base images without what their names stand for."""
        return {name: base.image for name, base in self.bases.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyseDockerfile:
    """Parses a Dockerfile, and finds the stages and the base images that a request needs."""

    parser: DockerfileParser
    resolve: FindBases

    def parse(self, source: DockerfileText) -> ParsedDockerfile:
        """Return the instructions of ``source``. Raises DockerfileError."""
        raw = self.parser.parse(source.content)
        return ParsedDockerfile(
            raw=raw, dockerfile=interpret(raw), ignore=ignore_patterns_of(source)
        )

    def __call__(
        self,
        parsed: ParsedDockerfile,
        request: BuildRequest,
        *,
        known: Mapping[BaseName, ResolvedBase] | None = None,
        time_of: Callable[[str], int | None] | None = None,
    ) -> Analysis:
        """Return the stages and images that ``request`` needs; fetch no layer.

        Images among ``known`` are not looked up again. ``time_of`` returns the time of a context
        in seconds since 1970, for a SOURCE_DATE_EPOCH that names one; None leaves it as it is.
        Raises DockerfileError, BaseUnavailable, and what ``time_of`` raises.
        """
        dockerfile = parsed.dockerfile
        if time_of is not None:
            epoch = source_date_epoch(request, global_arguments(dockerfile, request))
            if isinstance(epoch, str):
                dockerfile, request = with_source_date_epoch(dockerfile, request, time_of(epoch))
        bases = dict(known or {})
        while True:  # ONBUILD triggers of an image may name further images
            images = {name: base.image for name, base in bases.items()}
            stages = plan_stages(dockerfile, request, images)
            missing = [name for name in stages.bases if name not in bases]
            if not missing:
                break
            with _proposing_stages(dockerfile, request):
                bases.update(self.resolve(missing, pull=request.pull))
        return Analysis(
            raw=parsed.raw,
            dockerfile=dockerfile,
            ignore=parsed.ignore,
            request=request,
            stages=stages,
            bases={name: bases[name] for name in stages.bases},
        )


def ignore_patterns_of(source: DockerfileText) -> tuple[str, ...]:
    """Return the patterns of the ignore file that goes with a Dockerfile."""
    return () if source.ignore is None else read_ignore_patterns(source.ignore)


@contextmanager
def excerpts_of(source: DockerfileText) -> Iterator[None]:
    """Add the lines of the Dockerfile to each SourceError that names line numbers."""
    try:
        yield
    except SourceError as error:
        if error.lines is not None and not error.excerpt:
            from img.domain.dockerfile.excerpt import render_excerpt  # few builds fail

            text = source.content.decode("utf-8", "replace")
            error.excerpt = render_excerpt(source.name, text, error.lines)
            error.dockerfile = source.path
        raise


@contextmanager
def _proposing_stages(dockerfile: Dockerfile, request: BuildRequest) -> Iterator[None]:
    """Propose a stage or a context with a similar name if an image is not available."""
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
