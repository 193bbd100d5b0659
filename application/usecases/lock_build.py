"""Collection of the names of the network that a build uses, for a lock file."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from threading import Event

from img.application.planning.analyse import AnalyseDockerfile, ParsedDockerfile, excerpts_of
from img.application.planning.plan import plan_build
from img.application.planning.resolve import ResolvedBase
from img.application.ports.state_lock import StateLock
from img.application.solver.contexts import Contexts
from img.application.solver.steps.fetch_git import FetchRepository
from img.application.solver.steps.fetch_url import FetchFile
from img.application.transfer.pins import Pins
from img.domain.build import BaseName, BuildRequest
from img.domain.context_location import GitPlace, WebPlace, place_of
from img.domain.dataclass import dataclass
from img.domain.graph.operations import FetchGit, FetchUrl
from img.domain.graph.vertex import Plan
from img.domain.platform import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class LockBuild:
    """``img lock``: the images, downloads and commits of a build, noted by ``pins``.

    What has an entry already is not downloaded. Nothing is built.
    """

    contexts: Contexts
    analyse: AnalyseDockerfile
    url: FetchFile
    git: FetchRepository
    pins: Pins
    lock: StateLock

    def __call__(
        self,
        request: BuildRequest,
        *,
        location: str,
        file: str | None = None,
        platforms: Sequence[Platform] = (),
    ) -> None:
        """Note the names of the stage that ``request`` names, without one those of all stages.

        Raises as a build does before its first step, and the errors of downloads.
        """
        with self.lock.working():
            dockerfile = self.contexts.dockerfile(location, file)
            with excerpts_of(dockerfile):
                parsed = self.analyse.parse(dockerfile)
                bases: dict[BaseName, ResolvedBase] = {}
                for one in _requests(parsed, request, platforms):
                    analysis = self.analyse(parsed, one, known=bases)
                    bases.update(analysis.bases)
                    self._note(plan_build(analysis).plan)
            for name, place in request.contexts.items():
                self._note_context(name, place)

    def _note(self, plan: Plan) -> None:
        for position in plan.graph.needed_for(plan.target):
            match plan.graph.vertices[position].operation:
                case FetchUrl() as download:
                    checksum = self.pins.url(download.url)
                    if checksum is None:
                        self.url(download, Event(), _ignore)
                    else:
                        self.pins.note_url(download.url, checksum)
                case FetchGit() as checkout:
                    commit = self.pins.commit(checkout.remote, checkout.ref)
                    if commit is None:
                        commit = self.git.commit_of(checkout, Event())
                    self.pins.note_commit(checkout.remote, checkout.ref, commit)

    def _note_context(self, name: str, place: str) -> None:
        where = place_of(place, is_directory=self.contexts.local.is_directory(place))
        if isinstance(where, GitPlace | WebPlace):
            self.contexts.named(name, place, Event())


def _requests(
    parsed: ParsedDockerfile, request: BuildRequest, platforms: Sequence[Platform]
) -> Iterator[BuildRequest]:
    stages = parsed.dockerfile.stages
    targets = [request.target] if request.target else [str(each) for each in range(len(stages))]
    for platform in platforms or (request.platform,):
        for target in targets:
            yield replace(
                request, target=target, platform=platform, implicit_platform=not platforms
            )


def _ignore(_current: int, _total: int) -> None:
    """Show no progress."""
