"""Checkouts of public repositories for ADD, on workers of a cluster."""

from collections.abc import Mapping, Sequence

from img.application.cancellation import StepCanceled
from img.application.log import logger
from img.application.ports.cluster import ClusterError
from img.application.ports.vertex_workers import VertexWork, VertexWorkers
from img.application.solver.cluster_use import ClusterUse
from img.application.solver.progress import StepProgress
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import ImgError
from img.domain.graph.operations import FetchGit
from img.domain.graph.task import KeptMount, VertexAnswer, VertexTask
from img.domain.oci.chain import Layer

log = logger("cluster")

_STDERR = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterCheckouts:
    """Checkouts by workers, which have no credentials of the client."""

    workers: VertexWorkers
    cluster: ClusterUse

    def __call__(self, operation: FetchGit, commit: str, progress: StepProgress) -> Layer | None:
        """Return the layer with the files of the commit; None if this machine has to do it.

        A worker may reach other servers than this machine, so its failure is none of the step.
        Raises ClusterError, StepCanceled.
        """
        task = self.cluster.checkout(operation, commit, progress.name)
        try:
            answer = self.workers.run(_Checkout(task, progress), progress.cancelled)
        except (ClusterError, StepCanceled):
            raise
        except ImgError as error:
            log.debug("no checkout by a worker", remote=task.name, reason=error.message)
            return None
        if answer.layer is not None:
            self.cluster.shared.note([answer.layer.descriptor.digest])
        return answer.layer


class _Checkout(VertexWork):
    """A checkout as a task."""

    def __init__(self, task: VertexTask, progress: StepProgress) -> None:
        self._task = task
        self._progress = progress

    def here(self) -> VertexAnswer:
        raise AssertionError("a task runs on a worker")

    def task(self) -> VertexTask:
        return self._task

    def share(self, layers: Sequence[Digest]) -> None:
        """Do nothing: the task has no inputs."""

    def begun(self, worker: str) -> None:
        self._progress.output(_STDERR, f"checkout on {worker}\n".encode())

    def output(self, stream: int, data: bytes) -> None:
        self._progress.output(stream, data)

    def secrets(self) -> Mapping[str, bytes]:
        return {}

    def kept(self, mounts: Sequence[KeptMount]) -> None:
        """Do nothing: a checkout has no cache mounts."""
