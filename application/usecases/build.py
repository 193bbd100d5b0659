"""Building of images."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

from img.application.cancellation import cancelled_by
from img.application.layers.on_demand import Layers
from img.application.outputs.deliver import DeliverOutputs
from img.application.outputs.places import check_attested, check_places
from img.application.outputs.solved import BuiltImage, Solved
from img.application.planning.analyse import AnalyseDockerfile, excerpts_of
from img.application.planning.plan_platforms import DEFINITION, PlanPlatforms, requests_for
from img.application.planning.resolve import ResolveBases
from img.application.ports.build_context import DockerfileText
from img.application.ports.foreign_programs import ForeignPrograms
from img.application.ports.output_files import OutputFiles
from img.application.ports.progress_sink import ProgressSink
from img.application.ports.state_lock import StateLock
from img.application.solver.build_group import BuildGroup
from img.application.solver.contexts import Contexts
from img.application.solver.observer import TargetObserver
from img.application.solver.so_far import SoFar
from img.application.solver.solve import Solver
from img.application.solver.target_progress import TargetProgress
from img.application.transfer.damage import dropping_damaged
from img.application.usecases.solve_platforms import SolvePlatforms
from img.domain.build import BuildRequest
from img.domain.dataclass import dataclass
from img.domain.errors import ImgError
from img.domain.go.booleans import parse_boolean
from img.domain.graph.arguments import EPOCH, MAIN_CONTEXT
from img.domain.graph.operations import Exec
from img.domain.oci.descriptor import Descriptor
from img.domain.options.cache import CacheExchange
from img.domain.outputs import (
    AS_BUILT,
    CacheOnly,
    Output,
    reads_layers,
)
from img.domain.platform import Platform
from img.domain.progress import (
    VertexStarted,
)

if TYPE_CHECKING:  # few builds import or export caches, or have attestations
    from img.application.attestations.take_account import TakeAccount
    from img.application.cache_export.export_all import ExportCaches
    from img.application.cache_import.imported import ImportedCaches
    from img.domain.attestations.wanted import AttestationsWanted

_NO_CACHES = CacheExchange()
_KEEP_GIT_DIR = "BUILDKIT_CONTEXT_KEEP_GIT_DIR"


def _accept(_built: Sequence[Solved]) -> None:
    """Accept all images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildImage:
    """``img build``: plan, solve, and write the outputs if all steps succeeded."""

    contexts: Contexts
    analyse: AnalyseDockerfile
    solver: Solver
    layers: Layers
    deliver: DeliverOutputs
    places: OutputFiles
    imported: "ImportedCaches"
    export_caches: "ExportCaches"
    programs: ForeignPrograms
    progress: ProgressSink
    lock: StateLock
    tidy: Callable[..., None]  # KeepTidy
    take_account: "TakeAccount"
    check_results: Callable[[Sequence[Solved]], None] = _accept  # CheckResults

    def __call__(
        self,
        request: BuildRequest,
        *,
        location: str,
        file: str | None = None,
        outputs: Sequence[Output] = (),
        platforms: Sequence[Platform] = (),
        caches: CacheExchange = _NO_CACHES,
        attestations: "AttestationsWanted | None" = None,
    ) -> BuiltImage | None:
        """Build the Dockerfile ``file`` for the context at ``location``.

        Return the image of the last of ``outputs`` that is an image. Raises what ``solve`` and
        ``SolvedBuild.deliver`` raise.
        """
        with self.lease():
            return self.solve(
                request,
                location=location,
                file=file,
                outputs=outputs,
                platforms=platforms,
                caches=caches,
                attestations=attestations,
            ).deliver()

    @contextmanager
    def lease(self) -> Iterator[None]:
        """Hold the lease that ``solve`` and ``SolvedBuild.deliver`` need; tidy the state after."""
        with self._tidying(), self.lock.working():
            yield

    def solve(
        self,
        request: BuildRequest,
        *,
        location: str,
        file: str | None = None,
        outputs: Sequence[Output] = (),
        platforms: Sequence[Platform] = (),
        caches: CacheExchange = _NO_CACHES,
        attestations: "AttestationsWanted | None" = None,
        group: BuildGroup | None = None,
    ) -> "SolvedBuild":
        """Do the steps of a build, and write no output yet; the caller holds a lease.

        Several ``platforms`` make an index, and a single one too with the build arg
        BUILDKIT_MULTI_PLATFORM; without any, the platform of the request is built. The builds of a
        ``group`` share steps. Raises UsageError, ContextError, DockerfileError, BuildError,
        RegistryError … A SourceError carries an excerpt.
        """
        check_places(self.places, outputs, caches.targets)
        if attestations:
            check_attested(outputs, attestations)
            self.deliver.images.attest.prepare(attestations)
        if caches.targets:
            self.export_caches.check(caches.targets)
        requests = requests_for(request, platforms)
        self.solver.observer.hide(request.build_args)
        group = group or BuildGroup()
        with (
            cancelled_by(group.cancelled),
            self._dockerfile(request, location, file) as dockerfile,
        ):
            time_of = partial(self._time_of, location, request.contexts)
            progress_of = None
            if attestations:
                progress_of = self.take_account.begin(
                    self.contexts, location, file, dockerfile, attestations
                )
            parsed, planned = self._plan(dockerfile, requests, time_of)
            contexts = self.contexts.of_build(location, parsed.ignore, request.contexts)
            # A push can neither fetch a layer of a remote cache nor make it again.
            whole = caches.has_remote_source or any(reads_layers(output) for output in outputs)
            solve = SolvePlatforms(
                solver=self.solver,
                layers=self.layers,
                export_caches=self.export_caches,
                progress=self.progress,
                contexts=contexts,
                as_layers=self.contexts.as_layers,
                caches=caches,
                whole=whole,
                delivers=any(not isinstance(output, CacheOnly) for output in outputs),
                group=group,
                progress_of=progress_of,
                so_far=SoFar(results=group.results),
            )
            solve.announce(planned)
            self.deliver.announce(outputs)
            if caches.sources:
                self.imported.load(caches.sources)
            solved = solve(planned)
        return SolvedBuild(
            build=self,
            source=dockerfile,
            solved=solved,
            outputs=outputs,
            caches=caches,
            cancelled=group.cancelled,
        )

    def of_target(
        self, name: str, group: BuildGroup, results: Iterable[Descriptor]
    ) -> "BuildImage":
        """Return the use case for the target ``name`` of a bake.

        ``results`` are the images of other targets, which have no name in the store.
        """
        progress = TargetProgress(self.progress, name)
        observer = TargetObserver(self.solver.observer, name)
        known = {result.digest: result for result in results}
        resolve = self.analyse.resolve
        assert isinstance(resolve, ResolveBases)
        resolve = replace(resolve, progress=progress, results=known)
        return replace(
            self,
            contexts=replace(self.contexts, progress=progress, group=group),
            analyse=replace(self.analyse, resolve=resolve),
            solver=replace(self.solver, progress=progress, observer=observer),
            deliver=replace(self.deliver, progress=progress),
            progress=progress,
        )

    @contextmanager
    def _tidying(self) -> Iterator[None]:
        """Tidy in the end, also after a failure: its first steps may have stored something."""
        try:
            yield
        except ImgError:
            self._tidy()
            raise
        self._tidy()

    def _tidy(self) -> None:
        self.tidy(grown=self.solver.lookup.has_new or self.layers.transfer.has_pulled)

    @contextmanager
    def _dockerfile(
        self, request: BuildRequest, location: str, file: str | None
    ) -> Iterator[DockerfileText]:
        """Enter with the Dockerfile, and add excerpts of it to errors."""
        keep = parse_boolean(request.build_args.get(_KEEP_GIT_DIR, "")) is True
        dated = bool(request.build_args.get(EPOCH))
        dockerfile = self.contexts.dockerfile(location, file, keep_git_dir=keep, commit_mtime=dated)
        title = f"[internal] load build definition from {dockerfile.name}"
        self.progress.emit(VertexStarted(vertex=DEFINITION, name=title))
        with excerpts_of(dockerfile):
            yield dockerfile

    @property
    def _plan(self) -> PlanPlatforms:
        return PlanPlatforms(
            analyse=self.analyse,
            progress=self.progress,
            runs=self._runs,
            guard=self.contexts.web.guard,
            pins=self.contexts.web.pins,
        )

    def _runs(self, step: Exec, platform: Platform) -> bool:
        """Return whether this machine can run a RUN for ``platform``, or a worker may."""
        cluster = self.solver.cluster
        return self.programs.run(platform) or (cluster is not None and cluster.sends(step))

    def _time_of(self, location: str, named: Mapping[str, str], context: str) -> int | None:
        """Return the time of ``context`` in seconds since 1970, None for a directory."""
        return self.contexts.time_of(location if context == MAIN_CONTEXT else named[context])


@dataclass(frozen=True, slots=True, kw_only=True)
class SolvedBuild:
    """A build with results of all steps, and without outputs."""

    build: BuildImage
    source: DockerfileText
    solved: Sequence[Solved]
    outputs: Sequence[Output]
    caches: CacheExchange
    cancelled: Event

    def image(self) -> Descriptor:
        """Store the documents of the image without a name, and return its manifest or index.

        Raises StepForbidden.
        """
        self._check()
        return self.build.deliver.images.of_build(self.solved)(AS_BUILT).target

    def deliver(self) -> BuiltImage | None:
        """Write the outputs and caches; the caller still holds the lease of ``solve``.

        Return the image of the last output that is an image. Raises StepForbidden,
        OutputNotWritten, RegistryError, UsageError …
        """
        build = self.build
        with cancelled_by(self.cancelled):
            self._check()
            with dropping_damaged(build.layers.blobs):
                built = build.deliver(self.solved, self.outputs)
            if self.caches.targets:
                build.export_caches(self.caches.targets, self.solved)
            build.solver.lookup.note_used(build.solver.clock.now())
        return built

    def _check(self) -> None:
        with excerpts_of(self.source):
            self.build.check_results(self.solved)
