"""Building of images."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

from img.application.cancellation import LinkedCancellation, cancelled_by
from img.application.layers.on_demand import LayerLost, Layers
from img.application.outputs.deliver import DeliverOutputs
from img.application.outputs.places import check_attested, check_places
from img.application.outputs.solved import BuiltImage, Solved
from img.application.planning.analyse import AnalyseDockerfile, ParsedDockerfile, excerpts_of
from img.application.planning.plan import Planned, plan_build
from img.application.planning.resolve import ResolveBases, ResolvedBase
from img.application.ports.blob_store import BlobDamaged
from img.application.ports.build_context import DockerfileText
from img.application.ports.foreign_programs import ForeignPrograms
from img.application.ports.output_files import OutputFiles
from img.application.ports.progress_sink import ProgressSink
from img.application.ports.state_lock import StateLock
from img.application.solver.build_group import BuildGroup
from img.application.solver.contexts import Contexts
from img.application.solver.observer import TargetObserver
from img.application.solver.progress import vertex_ids
from img.application.solver.results import OpenContext, Result
from img.application.solver.schedule import run_all, solve_all
from img.application.solver.so_far import SoFar
from img.application.solver.solve import Solver
from img.application.solver.steps.make import BuildInputs
from img.application.solver.target_progress import TargetProgress
from img.application.transfer.damage import drop_damaged, dropping_damaged
from img.application.transfer.source_guard import NoGuard
from img.domain.build import BaseName, BuildRequest
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.dockerfile.frontend import OVERRIDE, check_frontend
from img.domain.errors import BuildError, DockerfileError, ImgError, UsageError
from img.domain.go.booleans import parse_boolean
from img.domain.graph.arguments import EPOCH, MAIN_CONTEXT
from img.domain.graph.operations import Exec, ReadContext
from img.domain.graph.vertex import Graph, Plan
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
    SourceLines,
    StepsPlanned,
    VertexDone,
    VertexFailed,
    VertexStarted,
    VertexWarning,
)

if TYPE_CHECKING:  # few builds import or export caches, or have attestations
    from img.application.attestations.take_account import BuildInProgress, TakeAccount
    from img.application.cache_export.export_all import ExportCaches
    from img.application.cache_import.imported import ImportedCaches
    from img.application.outputs.attested import Attested
    from img.domain.attestations.account import Account
    from img.domain.attestations.wanted import AttestationsWanted

_NO_CACHES = CacheExchange()
_DEFINITION = "definition"
_KEEP_GIT_DIR = "BUILDKIT_CONTEXT_KEEP_GIT_DIR"
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
        requests = _requests(request, platforms)
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
            with self._read():
                parsed = self._parsed(dockerfile, request)
                planned = self._planned(parsed, requests, time_of)
            self._warn(planned[0][1], dockerfile)
            for one, each in planned:
                self.announce(_label(one), each.plan.graph, each.plan.target)
            self.deliver.announce(outputs)
            contexts = self.contexts.of_build(location, parsed.ignore, request.contexts)
            whole = any(reads_layers(output) for output in outputs)
            if caches.sources:
                self.imported.load(caches.sources)
                # A push can neither fetch a layer of a remote cache nor make it again.
                whole = whole or caches.has_remote_source
            solve = _SolvePlatforms(
                build=self,
                contexts=contexts,
                caches=caches,
                whole=whole,
                delivers=any(not isinstance(output, CacheOnly) for output in outputs),
                group=group,
                progress_of=progress_of,
                _so_far=SoFar(results=group.results),
            )
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
        self.progress.emit(VertexStarted(vertex=_DEFINITION, name=title))
        with excerpts_of(dockerfile):
            yield dockerfile

    def _time_of(self, location: str, named: Mapping[str, str], context: str) -> int | None:
        """Return the time of ``context`` in seconds since 1970, None for a directory."""
        return self.contexts.time_of(location if context == MAIN_CONTEXT else named[context])

    @contextmanager
    def _read(self) -> Iterator[None]:
        """End the vertex of the Dockerfile on an error, as failed if the Dockerfile caused it."""
        try:
            yield
        except DockerfileError as error:
            self.progress.emit(VertexFailed(vertex=_DEFINITION, message=error.message))
            raise
        except ImgError:
            self.progress.emit(VertexDone(vertex=_DEFINITION))
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
        """Return a plan for each request, one for each platform; look an image up once."""
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
        guard = self.contexts.web.guard
        if isinstance(guard, NoGuard):
            return planned
        from img.application.policy.guard import guarded_plan  # few builds have policies

        return replace(planned, plan=guarded_plan(planned.plan, guard, self.contexts.web.pins))

    def _refuse_foreign_steps(self, plan: Plan) -> None:
        """Raise ForeignStep for a RUN that this machine cannot run and no worker may."""
        cluster = self.solver.cluster
        for position in plan.graph.needed_for(plan.target):
            vertex = plan.graph.vertices[position]
            match vertex.operation:
                case Exec(platform=Platform() as platform) if not self.programs.run(platform):
                    if cluster is None or not cluster.sends(vertex.operation):
                        raise ForeignStep(platform, vertex.lines)

    def _warn(self, planned: Planned, source: DockerfileText) -> None:
        for warning in planned.warnings:
            lines = SourceLines(
                file=source.name, path=source.path, text=source.content, lines=warning.lines
            )
            event = VertexWarning(
                vertex=_DEFINITION,
                message=warning.summary,
                detail=warning.description,
                url=warning.url,
                source=lines,
            )
            self.progress.emit(event)
        self.progress.emit(VertexDone(vertex=_DEFINITION))

    def announce(self, label: str, graph: Graph, target: int) -> None:
        """Show the steps that ``target`` needs as planned."""
        vertices = frozenset(vertex_ids(graph, target, label))
        self.progress.emit(StepsPlanned(plan=label, vertices=vertices))


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _SolvePlatforms:
    """Solves the plans of one build, which share the results of common steps."""

    build: BuildImage
    contexts: OpenContext
    caches: CacheExchange
    whole: bool  # have all layers of the images in the store
    delivers: bool  # have those layers that a push could get from no repository
    group: BuildGroup
    progress_of: "BuildInProgress | None" = None  # for attestations
    _so_far: SoFar

    def __call__(self, planned: Sequence[tuple[BuildRequest, Planned]]) -> Sequence[Solved]:
        """Return the results of each plan. Raises what the steps raise.

        A plan is solved again if it used a cached result that was then made again for another.
        """
        cancelled = self.group.cancellation()
        solved: dict[int, Solved] = {}
        if self.build.solver.cluster is not None and len(planned) > 1:
            solved.update(self._at_once(planned, cancelled))
        for _ in planned:
            for place, (request, one) in enumerate(planned):
                if place not in solved or self._so_far.differs(solved[place].stack):
                    solved[place] = self._mended(request, one, cancelled)
                self._so_far.note_image(solved[place].stack)
        return [solved[place] for place in range(len(planned))]

    def _at_once(
        self, planned: Sequence[tuple[BuildRequest, Planned]], cancelled: Event
    ) -> Mapping[int, Solved]:
        """Solve all plans at the same time: their steps have workers of their own."""

        def solve(place: int, _: Sequence[Solved]) -> Solved:
            return self._mended(*planned[place], cancelled)

        return run_all(dict.fromkeys(range(len(planned)), ()), solve, cancelled)

    def _mended(self, request: BuildRequest, planned: Planned, cancelled: Event) -> Solved:
        """Solve the steps; fetch or make damaged layers again."""
        damaged: set[Digest] = set()
        lost: set[Digest] = set()
        while True:
            try:
                return self._solved(request, planned, LinkedCancellation(cancelled))
            except LayerLost as error:
                if error.digest in lost:
                    raise
                lost.add(error.digest)
                self._so_far.forget_made()
                warning = f"{error.message}; its step is done again"
                self.build.progress.emit(VertexWarning(vertex=_DEFINITION, message=warning))
            except BlobDamaged as error:
                blobs = self.build.layers.blobs
                if error.digest in damaged or not drop_damaged(blobs, error.digest):
                    raise
                damaged.add(error.digest)
                self._so_far.forget_made()
                warning = f"{error.message}; it is fetched or made again"
                self.build.progress.emit(VertexWarning(vertex=_DEFINITION, message=warning))

    def _solved(self, request: BuildRequest, planned: Planned, cancelled: Event) -> Solved:
        """Solve the steps, and name the base images of which all layers are stored then."""
        plan, label = planned.plan, _label(request)
        solver, exports = self.build.solver, bool(self.caches.targets)
        inputs = BuildInputs(
            contexts=self.contexts,
            bases={base.image.manifest: base for base in planned.bases.values()},
            eager=frozenset(plan.graph.below(plan.target)) if self.whole else frozenset(),
        )
        solve = solver.for_build(
            plan,
            inputs,
            cancelled,
            self._so_far,
            label,
            group=self.group,
            all_keys=exports,
            whole=self._scans and bool(plan.scanned),
        )
        self.build.announce(label, solve.graph, plan.target)
        try:
            results = solve_all(solve.graph, plan.target, solve, cancelled, solver.at_once())
            if exports:
                results = {**solve.unsolved(), **results}
            solved = Solved(
                platform=request.platform,
                plan=plan,
                results=results,
                epoch=plan.epoch,
                multi_platform=request.multi_platform,
            )
            if self.progress_of is not None:
                known = {**results, **self._unread_contexts(plan, results, cancelled)}
                account = self.progress_of.end(request, planned, known, plan.epoch)
                solved = replace(solved, attested=self._attested(account, plan, cancelled))
            if self.caches.inline:
                solved = replace(solved, inline=self.build.export_caches.inline(solved))
            if self.whole:
                self.build.layers.bring(solved.stack.layers)
            elif self.delivers:
                self.build.layers.bring_unpublished(solved.stack.layers)
            return solved
        finally:
            solver.pull.name_whole(planned.bases.values())

    def _unread_contexts(
        self, plan: Plan, results: Mapping[int, Result], cancelled: Event
    ) -> Mapping[int, Result]:
        """Return the contexts that only cached steps read: they are sources of the image too."""
        return {
            position: self.contexts(operation.name, cancelled)
            for position in plan.graph.needed_for(plan.target)
            if isinstance(operation := plan.graph.vertices[position].operation, ReadContext)
            and position not in results
        }

    @property
    def _scans(self) -> bool:
        return self.progress_of is not None and self.progress_of.wanted.sbom is not None

    def _attested(self, account: "Account", plan: Plan, cancelled: Event) -> "Attested":
        from img.application.outputs.attested import Attested  # few builds have them

        assert self.progress_of is not None
        context = None
        if self._scans and plan.scans_context:
            context = self.build.contexts.as_layers(self.contexts("", cancelled))
        return Attested(wanted=self.progress_of.wanted, account=account, context=context)


def _requests(request: BuildRequest, platforms: Sequence[Platform]) -> Sequence[BuildRequest]:
    """Return a request for each platform. Raises UsageError."""
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


def _label(request: BuildRequest) -> str:
    """Return the prefix of the vertex IDs of a platform, "" if there is one platform."""
    return f"{request.platform} " if request.multi_platform else ""


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
