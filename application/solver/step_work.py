"""The work of one step, for the workers that run steps."""

from collections.abc import Callable, Sequence

from img.application.ports.vertex_workers import VertexWork
from img.application.solver.progress import StepProgress
from img.application.solver.steps.step import Step
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.graph.task import VertexAnswer, VertexTask


@dataclass(slots=True, kw_only=True)
class StepWork(VertexWork):
    """A step of a build that was not found in the cache.

    ``on_start`` is called when it begins, with the name of its worker.
    """

    step: Step
    progress: StepProgress
    on_start: Callable[[StepProgress, str], None]

    def here(self) -> VertexAnswer:
        self.on_start(self.progress, "")
        return VertexAnswer(layer=self.step.run(self.progress))

    def task(self) -> VertexTask | None:
        return None

    def share(self, layers: Sequence[Digest]) -> None:
        """Do nothing: there is no task yet."""

    def begun(self, worker: str) -> None:
        self.on_start(self.progress, worker)

    def output(self, stream: int, data: bytes) -> None:
        self.progress.output(stream, data)
