"""Lowering: from a Dockerfile and the configs of its bases to a graph and the image's config."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from img.domain.build import BaseImage, BaseName, BuildRequest
from img.domain.dockerfile.instructions import Add, Copy, Run, Workdir
from img.domain.errors import ImgError
from img.domain.graph.arguments import scans_context, scans_stage, source_date_epoch
from img.domain.graph.lower_copy import lower_copy, lower_workdir
from img.domain.graph.lower_run import lower_run
from img.domain.graph.names import name_step
from img.domain.graph.operations import CopyFiles, PullBase, ReadContext, Scratch
from img.domain.graph.settings import apply_setting, with_path
from img.domain.graph.sources import FromContext, FromImage, FromScratch, FromStage, Source
from img.domain.graph.stage_plan import PlannedStage, StagePlan, Step
from img.domain.graph.state import GraphBuilder, StageScope, StageState
from img.domain.graph.vertex import HistoryItem, Plan, Vertex
from img.domain.oci.config import FROM_NO_INSTRUCTION, ImageConfig, RunConfig
from img.domain.platform import Platform
from img.domain.process import DEFAULT_PATH


class MissingBases(ImgError):
    """Images that stages need and the caller did not supply."""

    def __init__(self, names: Sequence[BaseName]) -> None:
        super().__init__(f"not looked up: {', '.join(name.text for name in names)}")
        self.names = tuple(names)


def lower(stages: StagePlan, request: BuildRequest, bases: Mapping[BaseName, BaseImage]) -> Plan:
    """Return the plan of one image for one platform.

    ``stages`` are planned for ``request``; ``bases`` holds all images that they need.
    Raises DockerfileError, MissingBases.
    """
    if missing := [name for name in stages.bases if name not in bases]:
        raise MissingBases(missing)
    return _Lowering(stages, request, bases).plan()


class _Lowering:
    def __init__(
        self, stages: StagePlan, request: BuildRequest, bases: Mapping[BaseName, BaseImage]
    ) -> None:
        self._request = request
        self._bases = bases
        self._stages = stages
        epoch = source_date_epoch(request, stages.arguments)
        # A context without a known time is treated like one without a time.
        self._epoch = None if isinstance(epoch, str) else epoch
        self._graph = GraphBuilder()
        self._done: dict[int, StageState] = {}

    def plan(self) -> Plan:
        for stage in self._stages.stages:
            self._done[stage.index] = self._lowered(stage)
        final = self._done[self._stages.target]
        return Plan(
            graph=self._graph.build(),
            target=final.root,
            config=self._image_config(final.config),
            history=final.history,
            epoch=self._epoch,
            scanned=self._scanned(),
            scans_context=scans_context(
                dict(final.variables.arguments), self._stages.arguments, self._request.build_args
            ),
        )

    def _scanned(self) -> dict[str, int]:
        """Return the stages that a bill of materials covers besides the image."""
        found = {}
        for stage in self._stages.stages:
            state, name = self._done[stage.index], stage.start.name
            own = dict(state.variables.arguments)
            scans = scans_stage(name, own, self._stages.arguments, self._request.build_args)
            if scans and stage.index != self._stages.target:
                found[name or str(stage.index)] = state.root
        return found

    def _lowered(self, stage: PlannedStage) -> StageState:
        scope = StageScope(
            request=self._request,
            graph=self._graph,
            global_arguments=self._stages.arguments,
            escape=self._stages.escape,
            epoch=self._epoch,
            stage_name=stage.name,
            steps=stage.named_steps,
            ignore_cache=self._request.ignores_cache(stage.start.name),
        )
        state = self._start(scope, stage)
        state = _with_base_env(state.with_run(with_path(state.run, state.platform)))
        for step in stage.steps:
            state = self._after(scope, state, step)
        return state

    def _after(self, scope: StageScope, state: StageState, step: Step) -> StageState:
        instruction = step.instruction
        match instruction:
            case Run():
                sources = [self._vertex(source) for source in step.sources]
                return lower_run(scope, state, instruction, sources, on_build=step.on_build)
            case Copy() | Add():
                source = self._vertex(step.sources[0]) if step.sources else None
                return lower_copy(scope, state, instruction, source, on_build=step.on_build)
            case Workdir():
                return lower_workdir(scope, state, instruction, on_build=step.on_build)
            case _:
                return apply_setting(scope, state, instruction)

    def _start(self, scope: StageScope, stage: PlannedStage) -> StageState:
        """Return the state before the first step: that of the base, without its triggers."""
        match stage.base:
            case FromStage(index):
                base = self._done[index]
                run = replace(base.run, on_build=())
                return replace(base.with_run(run), steps_named=0, cmd_set=False)
            case FromImage(name):
                return self._image_start(scope, stage, name)
            case FromContext(name):
                return self._context_start(scope, stage, name)
            case FromScratch():
                state = _empty(self._scratch(), self._request.platform)
                return replace(state, platform=self._request.platform)

    def _image_start(self, scope: StageScope, stage: PlannedStage, name: BaseName) -> StageState:
        """Start from an image, without the fields of its config that are unknown.

        They tell how the base was made (``container_config``, ``docker_version``), and BuildKit
        drops them too.
        """
        config = self._bases[name].config
        run = replace(config.run, on_build=(), unknown={})
        config = replace(config, run=run, created="", unknown={})
        state = StageState(root=0, config=config, platform=stage.platform)
        state, text = name_step(scope, state, f"FROM {_pinned(self._bases[name])}")
        return replace(state, root=self._pull(name, text))

    def _context_start(self, scope: StageScope, stage: PlannedStage, name: str) -> StageState:
        """Start from the files of a named context: one layer without a history entry."""
        state = _empty(self._scratch(), stage.platform)
        state, text = name_step(scope, state, f"FROM {name}")
        vertex = Vertex(
            operation=CopyFiles(sources=("",), destination="/", epoch=self._epoch),
            inputs=(state.root, self._context(name)),
            name=text,
            lines=stage.start.lines,
        )
        root = self._graph.add(vertex)
        item = HistoryItem(created_by="", vertex=root, comment=FROM_NO_INSTRUCTION)
        return replace(state, root=root, history=(item,))

    def _vertex(self, source: Source | None) -> int | None:
        """Return the position of the source that a --from names; None for the build context."""
        match source:
            case None:
                return None
            case FromStage(index):
                return self._done[index].root
            case FromImage(name):
                return self._pull(name, f"FROM {_pinned(self._bases[name])}")
            case FromContext(name):
                return self._context(name)
            case FromScratch():
                return self._scratch()

    def _pull(self, name: BaseName, text: str) -> int:
        base = self._bases[name]
        if not base.config.diff_ids and all(item.empty_layer for item in base.config.history):
            return self._scratch()
        operation = PullBase(
            reference=base.reference, manifest=base.manifest, platform=name.platform
        )
        return self._graph.add(Vertex(operation=operation, name=text, lines=name.lines))

    def _context(self, name: str) -> int:
        vertex = Vertex(operation=ReadContext(name=name), name=f"[context {name}] load from client")
        return self._graph.add(vertex)

    def _scratch(self) -> int:
        return self._graph.add(Vertex(operation=Scratch(), name="FROM scratch"))

    def _image_config(self, config: ImageConfig) -> ImageConfig:
        """Return the config with the platform and the labels of the request."""
        wanted, own = self._request.platform.normalized(), config.platform.normalized()
        if self._request.implicit_platform and own.architecture:
            wanted = own
        elif (wanted.os, wanted.architecture) == (own.os, own.architecture):
            wanted = replace(
                wanted,
                variant=wanted.variant or own.variant,
                os_version=wanted.os_version or own.os_version,
            )
        labels = {**config.run.labels, **self._request.labels}
        return replace(
            config,
            platform=wanted,
            os_features=wanted.os_features or config.os_features,
            run=replace(config.run, labels=labels),
        )


def _empty(root: int, platform: Platform) -> StageState:
    """Return the state of ``FROM scratch`` (BuildKit dockerfile2llb/image.go, emptyImage)."""
    run = RunConfig(working_dir="/", env=(("PATH", DEFAULT_PATH),))
    return StageState(root=root, config=ImageConfig(platform=platform, run=run), platform=platform)


def _with_base_env(state: StageState) -> StageState:
    """Add the variables of the config for RUN, after the ARGs that a base stage declared."""
    return replace(state, variables=state.variables.with_values(state.run.env))


def _pinned(base: BaseImage) -> str:
    digest = str(base.manifest)
    return base.reference if digest in base.reference else f"{base.reference}@{digest}"
