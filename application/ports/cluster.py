"""Clusters with workers that run single steps of builds."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Protocol

from img.application.ports.executor import Cancellation
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import ImgError, RemoteError
from img.domain.graph.task import KeptMount, VertexAnswer, VertexTask
from img.domain.platform import Platform


class ClusterError(RemoteError):
    """A cluster that cannot be reached, or does not do its work."""


class SchedulerLost(ClusterError):
    """The connection to the scheduler of a cluster ended during a build."""

    def __init__(self, address: str, reason: str = "") -> None:
        super().__init__(
            f"the connection to the scheduler of the cluster {address} is lost"
            + (f": {reason}" if reason else ""),
            hint="the results of steps that have ended are kept: repeat the command to go on",
        )


class OtherVersion(ClusterError):
    """A worker with another version of img than the client."""

    def __init__(self, worker: str, version: str, own: str) -> None:
        super().__init__(
            f"the worker {worker} has img {version}, and this is img {own}",
            hint="install the same version of img on all machines of the cluster",
        )


class NoWorker(ClusterError):
    """A cluster without a worker that can run a step."""


class WorkerGone(ClusterError):
    """The worker that a step had to run on has left the cluster."""

    def __init__(self, worker: str) -> None:
        super().__init__(f"the worker {worker} has left the cluster")
        self.worker = worker


class WorkerUnfit(ClusterError):
    """A worker that cannot run a step that another one may: a full disk, no executor.

    ``cause`` is the error of the worker.
    """

    def __init__(self, worker: str, cause: ImgError) -> None:
        super().__init__(f"the worker {worker}: {cause.message}", hint=cause.hint)
        self.worker = worker
        self.cause = cause


class LayersMissing(ClusterError):
    """Layers of the inputs of a step that its worker could not fetch."""

    def __init__(self, worker: str, digests: Sequence[Digest], reason: str = "") -> None:
        names = ", ".join(map(str, digests))
        super().__init__(f"the worker {worker} cannot fetch {names}: {reason}")
        self.digests = tuple(digests)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFacts:
    """A worker; ``address`` is unique, ``name`` is shown and the same in later clusters."""

    address: str
    name: str
    slots: int  # steps at a time
    natives: frozenset[str]  # platforms of its processor
    runs: frozenset[str]  # these and emulated ones; empty: unknown

    def can_run(self, platform: Platform | None) -> bool:
        """Return whether the worker runs programs for ``platform`` (None: the step has none)."""
        return platform is None or str(platform) in self.runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """The workers for a step: ``only`` these, if there are some; ``prefer`` is advice.

    With ``native`` the worker must have the processor of the step's platform.
    """

    only: tuple[str, ...] = ()  # addresses
    prefer: tuple[str, ...] = ()
    native: bool = False


class TaskWatch(Protocol):
    """A receiver of what happens to a task; threads of the adapter call it, one at a time."""

    @abstractmethod
    def begun(self, worker: str) -> None:
        """Note that the worker with this address has begun, perhaps after others that are lost."""

    @abstractmethod
    def output(self, stream: int, data: bytes) -> None:
        """Take output of the step: 1 for stdout or 2 for stderr, bytes."""

    @abstractmethod
    def secrets(self) -> Mapping[str, bytes]:
        """Return the secrets of the step by name, for its worker alone."""

    @abstractmethod
    def kept(self, mounts: Sequence[KeptMount]) -> None:
        """Take the cache mounts that the worker has kept, before or after the end of the task."""


class Cluster(Protocol):
    """A scheduler and its workers; several threads run one task each."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The address of the scheduler."""

    @property
    @abstractmethod
    def dashboard(self) -> str:
        """The URL of a page that shows the cluster, "" if there is none."""

    @abstractmethod
    def workers(self) -> Sequence[WorkerFacts]:
        """Return the workers that are there now. Raises SchedulerLost."""

    @abstractmethod
    def run(
        self, task: VertexTask, placement: Placement, watch: TaskWatch, cancelled: Cancellation
    ) -> VertexAnswer:
        """Return the answer of a worker.

        A task is run again by another worker when its worker ends, with another ``begun``. Secrets
        are sent over TLS alone, and are in no argument, log or file. Raises the error of the step,
        with its message, hint and exit code; StepCanceled soon after ``cancelled`` is set, also if
        the worker is still stopping the step; SchedulerLost, OtherVersion, WorkerUnfit, WorkerGone,
        LayersMissing, NoWorker, ClusterError.
        """

    @abstractmethod
    def settle(self, most_s: float) -> None:
        """Wait until workers have said which cache mounts they keep, at most so many seconds."""

    @abstractmethod
    def close(self) -> None:
        """Cancel running tasks and disconnect. Idempotent."""
