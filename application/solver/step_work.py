"""The work of one step, for the workers that run steps."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from img.application.ports.vertex_workers import VertexWork
from img.application.solver.progress import StepProgress
from img.application.solver.results import Result
from img.application.solver.steps.execute import ExecStep
from img.application.solver.steps.step import Step
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.graph.task import KeptMount, VertexAnswer, VertexTask
from img.domain.graph.vertex import Vertex

if TYPE_CHECKING:
    from img.application.solver.cluster_use import ClusterUse

_STDERR = 2
_AGENT_STAYS = b"this step runs on this machine: SSH agents are not forwarded to workers\n"


@dataclass(slots=True, kw_only=True)
class StepWork(VertexWork):
    """A step of a build that was not found in the cache.

    ``on_start`` is called when it begins, with the name of its worker. Without a ``cluster`` only
    this process can run it.
    """

    step: Step
    vertex: Vertex
    inputs: Sequence[Result]
    progress: StepProgress
    on_start: Callable[[StepProgress, str], None]
    cluster: "ClusterUse | None" = None
    _task: VertexTask | None = None
    _worker: str = ""

    def here(self) -> VertexAnswer:
        self.on_start(self.progress, "")
        if self.cluster is not None and self.cluster.keeps_agent(self.step):
            self.output(_STDERR, _AGENT_STAYS)
        return VertexAnswer(layer=self.step.run(self.progress))

    def task(self) -> VertexTask | None:
        if self.cluster is not None:
            self._task = self.cluster.task(self.step, self.vertex, self.inputs)
        return self._task

    def share(self, layers: Sequence[Digest]) -> None:
        assert self.cluster is not None and self._task is not None
        wanted = set(layers)
        self.cluster.share(
            layer
            for each in self._task.inputs
            for layer in each.layers
            if layer.descriptor.digest in wanted
        )

    def begun(self, worker: str) -> None:
        before, self._worker = self._worker, worker
        if before:
            self.output(_STDERR, f"the step begins again on {worker}\n".encode())
        else:
            self.on_start(self.progress, worker)

    def output(self, stream: int, data: bytes) -> None:
        self.progress.output(stream, data)

    def secrets(self) -> Mapping[str, bytes]:
        return self.step.secrets() if isinstance(self.step, ExecStep) else {}

    def kept(self, mounts: Sequence[KeptMount]) -> None:
        assert self.cluster is not None
        if isinstance(self.step, ExecStep):
            self.cluster.note_kept(self.step.operation, mounts)
