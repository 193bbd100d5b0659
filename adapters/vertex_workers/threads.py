"""Steps in the threads that solve their vertices."""

from img.application.ports.executor import Cancellation
from img.application.ports.vertex_workers import VertexWork, VertexWorkers
from img.domain.graph.task import VertexAnswer


class ThreadWorkers(VertexWorkers):
    """The threads of this process, each with the step of its vertex.

    The scheduler of a build limits their number (application/solver/schedule.py).
    """

    def run(self, work: VertexWork, cancelled: Cancellation) -> VertexAnswer:
        return work.here()

    def settle(self) -> None:
        """Do nothing: steps end with their calls."""

    def close(self) -> None:
        """Do nothing: the threads are those of the caller."""
