"""The steps of one build: those of the plans of all its platforms."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING

from img.application.cancellation import LinkedCancellation
from img.application.layers.on_demand import LayerLost, Layers
from img.application.outputs.solved import Solved
from img.application.planning.plan import Planned
from img.application.planning.plan_platforms import DEFINITION
from img.application.ports.blob_store import BlobDamaged
from img.application.ports.progress_sink import ProgressSink
from img.application.solver.build_group import BuildGroup
from img.application.solver.progress import vertex_ids
from img.application.solver.results import OpenContext, Result
from img.application.solver.schedule import run_all, solve_all
from img.application.solver.so_far import SoFar
from img.application.solver.solve import Solver
from img.application.solver.steps.make import BuildInputs
from img.application.transfer.damage import drop_damaged
from img.domain.build import BuildRequest
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.graph.operations import ReadContext
from img.domain.graph.vertex import Graph, Plan
from img.domain.oci.chain import Layer
from img.domain.options.cache import CacheExchange
from img.domain.progress import StepsPlanned, VertexWarning

if TYPE_CHECKING:  # few builds import or export caches, or have attestations
    from img.application.attestations.take_account import BuildInProgress
    from img.application.cache_export.export_all import ExportCaches
    from img.application.outputs.attested import Attested
    from img.domain.attestations.account import Account


@dataclass(frozen=True, slots=True, kw_only=True)
class SolvePlatforms:
    """Solves the plans of one build, which share the results of common steps."""

    solver: Solver
    layers: Layers
    export_caches: "ExportCaches"
    progress: ProgressSink
    contexts: OpenContext
    as_layers: Callable[[Result], Sequence[Layer]]  # of the files of a context
    caches: CacheExchange
    whole: bool  # have all layers of the images in the store
    delivers: bool  # have those layers that a push could get from no repository
    group: BuildGroup
    progress_of: "BuildInProgress | None" = None  # for attestations
    so_far: SoFar

    def announce(self, planned: Sequence[tuple[BuildRequest, Planned]]) -> None:
        """Show the steps of each plan as planned."""
        for request, one in planned:
            self._announce(_label(request), one.plan.graph, one.plan.target)

    def _announce(self, label: str, graph: Graph, target: int) -> None:
        vertices = frozenset(vertex_ids(graph, target, label))
        self.progress.emit(StepsPlanned(plan=label, vertices=vertices))

    def __call__(self, planned: Sequence[tuple[BuildRequest, Planned]]) -> Sequence[Solved]:
        """Return the results of each plan. Raises what the steps raise.

        A plan is solved again if it used a cached result that was then made again for another.
        """
        cancelled = self.group.cancellation()
        solved: dict[int, Solved] = {}
        if self.solver.cluster is not None and len(planned) > 1:
            solved.update(self._at_once(planned, cancelled))
        for _ in planned:
            for place, (request, one) in enumerate(planned):
                if place not in solved or self.so_far.differs(solved[place].stack):
                    solved[place] = self._mended(request, one, cancelled)
                self.so_far.note_image(solved[place].stack)
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
                self.so_far.forget_made()
                warning = f"{error.message}; its step is done again"
                self.progress.emit(VertexWarning(vertex=DEFINITION, message=warning))
            except BlobDamaged as error:
                blobs = self.layers.blobs
                if error.digest in damaged or not drop_damaged(blobs, error.digest):
                    raise
                damaged.add(error.digest)
                self.so_far.forget_made()
                warning = f"{error.message}; it is fetched or made again"
                self.progress.emit(VertexWarning(vertex=DEFINITION, message=warning))

    def _solved(self, request: BuildRequest, planned: Planned, cancelled: Event) -> Solved:
        """Solve the steps, and name the base images of which all layers are stored then."""
        plan, label = planned.plan, _label(request)
        solver, exports = self.solver, bool(self.caches.targets)
        inputs = BuildInputs(
            contexts=self.contexts,
            bases={base.image.manifest: base for base in planned.bases.values()},
            eager=frozenset(plan.graph.below(plan.target)) if self.whole else frozenset(),
        )
        solve = solver.for_build(
            plan,
            inputs,
            cancelled,
            self.so_far,
            label,
            group=self.group,
            all_keys=exports,
            whole=self._scans and bool(plan.scanned),
        )
        self._announce(label, solve.graph, plan.target)
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
                solved = replace(solved, inline=self.export_caches.inline(solved))
            if self.whole:
                self.layers.bring(solved.stack.layers)
            elif self.delivers:
                self.layers.bring_unpublished(solved.stack.layers)
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
            context = self.as_layers(self.contexts("", cancelled))
        return Attested(wanted=self.progress_of.wanted, account=account, context=context)


def _label(request: BuildRequest) -> str:
    """Return the prefix of the vertex IDs of a platform, "" if there is one platform."""
    return f"{request.platform} " if request.multi_platform else ""
