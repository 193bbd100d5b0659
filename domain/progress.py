"""What happens during a build or a transfer, as events."""

from img.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StepsPlanned:
    """What is going to be done, as far as that is known; it replaces what was said before."""

    plan: str  # which plan: a build for several platforms has several
    vertices: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class VertexStarted:
    """Work on something began; ``vertex`` names it in the events that follow."""

    vertex: str
    name: str  # such as "[build 2/5] RUN make"


@dataclass(frozen=True, slots=True, kw_only=True)
class VertexCached:
    """Nothing had to be done."""

    vertex: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VertexOutput:
    """A process wrote something."""

    vertex: str
    stream: int  # 1 stdout, 2 stderr
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class VertexStatus:
    """How far a part of the work is: a blob that moves, a layer that is unpacked."""

    vertex: str
    item: str
    current: int  # bytes
    total: int  # bytes; 0 where unknown
    done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VertexWarning:
    """Something a user should know, that stops nothing."""

    vertex: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VertexDone:
    """The work is done."""

    vertex: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VertexFailed:
    """The work failed; ``message`` is one line."""

    vertex: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VertexCanceled:
    """The work was given up because something else failed, or because the user asked."""

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
