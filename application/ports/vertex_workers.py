"""Workers that run the steps of builds: threads of this process, or machines of a cluster."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Protocol

from img.application.ports.executor import Cancellation
from img.domain.digest import Digest
from img.domain.graph.task import KeptMount, VertexAnswer, VertexTask


class VertexWork(Protocol):
    """One step with solved inputs, in two forms: a call in this process, and a task for others.

    Methods are called from the thread of ``run``; ``begun`` and ``output`` from others, too.
    """

    @abstractmethod
    def here(self) -> VertexAnswer:
        """Run the step in this thread. Raises what the step raises, StepCanceled."""

    @abstractmethod
    def task(self) -> VertexTask | None:
        """Return the step for another process, None if only this process can run it."""

    @abstractmethod
    def share(self, layers: Sequence[Digest]) -> None:
        """Let workers reach these blobs of inputs, which they did not find.

        Raises BlobNotFound, RegistryError, SharedBlobsError.
        """

    @abstractmethod
    def begun(self, worker: str) -> None:
        """Note that a worker with this name has begun to run the step, perhaps not the first."""

    @abstractmethod
    def output(self, stream: int, data: bytes) -> None:
        """Take output of the step: 1 for stdout or 2 for stderr, bytes."""

    @abstractmethod
    def secrets(self) -> Mapping[str, bytes]:
        """Return the secrets of the step by name, if its task needs some."""

    @abstractmethod
    def kept(self, mounts: Sequence[KeptMount]) -> None:
        """Note the cache mounts of the step that its worker has kept, perhaps after its end."""


class VertexWorkers(Protocol):
    """Runs steps somewhere; several threads run one each."""

    @abstractmethod
    def run(self, work: VertexWork, cancelled: Cancellation) -> VertexAnswer:
        """Return the result of the step.

        Its output arrives in order, and before the return. If a worker is lost, another one runs
        the step again from its start. When ``cancelled`` is set, the step is stopped. Raises what
        the step raises, with the same message, hint and exit code; StepCanceled; ClusterError.
        """

    @abstractmethod
    def settle(self) -> None:
        """Wait a little for what workers still say about steps that have ended.

        A build that has succeeded calls it in the end.
        """

    @abstractmethod
    def close(self) -> None:
        """Stop running steps and disconnect. Idempotent."""
