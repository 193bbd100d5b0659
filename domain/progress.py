"""Progress events of builds and transfers."""

from img.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StepsPlanned:
    """The steps that are known so far; they replace those of the last event."""

    plan: str  # the plan: a build for several platforms has several
    vertices: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class VertexStarted:
    """The start of a vertex; ``vertex`` is its name in later events."""

    vertex: str
    name: str  # such as "[build 2/5] RUN make"
    inputs: tuple[str, ...] = ()  # the vertices that it needs, as far as they are shown
    group: str = ""  # the target of a bake
    worker: str = ""  # the worker of a cluster that runs it

    @property
    def title(self) -> str:
        """The name, and the worker if there is one."""
        return f"{self.name} (on {self.worker})" if self.worker else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class VertexCached:
    """A vertex with a cached result; the fields are those of VertexStarted."""

    vertex: str
    name: str
    inputs: tuple[str, ...] = ()
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VertexOutput:
    """A line of output from a process."""

    vertex: str
    stream: int  # 1 stdout, 2 stderr
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class VertexStatus:
    """The progress of a part of the work: a transfer of a blob, an unpacked layer."""

    vertex: str
    item: str
    current: int  # bytes
    total: int  # bytes; 0 if unknown
    done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLines:
    """Lines of a Dockerfile."""

    file: str  # its name in messages
    path: str  # where this machine has it, "" if it is from elsewhere
    text: bytes  # the whole file
    lines: tuple[int, int]  # 1-based, first and last


@dataclass(frozen=True, slots=True, kw_only=True)
class VertexWarning:
    """A warning to the user."""

    vertex: str
    message: str
    detail: str = ""  # the purpose of the check that warns
    url: str = ""  # of its page
    source: SourceLines | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VertexDone:
    """The end of a vertex."""

    vertex: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VertexFailed:
    """A failed vertex; ``message`` is one line."""

    vertex: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VertexCanceled:
    """A vertex that was cancelled, because another one failed or the user interrupted."""

    vertex: str


VertexEvent = (
    VertexStarted
    | VertexCached
    | VertexOutput
    | VertexStatus
    | VertexWarning
    | VertexDone
    | VertexFailed
    | VertexCanceled
)
"""What happens to one vertex."""

Event = StepsPlanned | VertexEvent
"""What progress sinks are told."""
