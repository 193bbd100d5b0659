"""Steps as tasks for other processes: all that a worker has to know, and what it answers."""

from datetime import datetime

from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.graph.operations import CopyFiles, Exec, FetchGit, MakeDirectory
from img.domain.oci.chain import Layer
from img.domain.platform import Platform

TaskOperation = CopyFiles | MakeDirectory | Exec | FetchGit
"""The operations that workers can do."""

Contents = tuple[tuple[Digest, Digest], ...]
"""Contents by definition key, in order (provenance.py)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskInput:
    """A solved input: the fields of a stack (application/solver/results.py)."""

    key: Digest
    layers: tuple[Layer, ...] = ()
    below: Contents = ()
    dated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptMount:
    """The files of a cache mount in the store of a cluster: layers on one another."""

    name: str  # of its directory (application/solver/steps/mounts.py)
    layers: tuple[Layer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VertexTask:
    """A step with the results of its inputs, in the order of the operation's inputs.

    ``origins`` are repositories that have blobs of the inputs. ``platform`` is that of the
    programs of a RUN; other steps run anywhere. A worker without the directory of one of
    ``mounts`` begins it with their files. After the step it keeps those of at most ``mount_limit``
    bytes in the store.
    """

    name: str  # such as "[build 2/5] RUN make"
    operation: TaskOperation
    inputs: tuple[TaskInput, ...]
    ignore_cache: bool = False
    platform: Platform | None = None
    origins: tuple[tuple[Digest, tuple[str, ...]], ...] = ()
    store: str = ""  # the text of --cluster-store
    retries: int = 0  # of a command that fails
    limit_ms: int | None = None  # for each try of a command
    needs_secrets: bool = False  # its worker asks for them; they are in no task
    secret_guard: bool = False
    mounts: tuple[KeptMount, ...] = ()
    mount_limit: int = 0  # bytes; 0: none is kept


@dataclass(frozen=True, slots=True, kw_only=True)
class VertexAnswer:
    """The result of a step: its layer, or no change.

    ``created`` and ``content`` (the content key) are None if the step ran in this process, which
    knows them. ``cached``: the worker has found the result in its own cache. With ``keeps`` it
    says later which cache mounts it has kept.
    """

    layer: Layer | None
    created: datetime | None = None  # UTC
    content: Digest | None = None
    cached: bool = False
    keeps: bool = False
    worker: str = ""  # its address
