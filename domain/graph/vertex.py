"""A build as a graph of values."""

from img.domain.dataclass import dataclass
from img.domain.graph.operations import Operation
from img.domain.oci.config import ImageConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Vertex:
    """An operation and the vertices whose results it works on.

    ``inputs`` are positions in the graph, always lower than the vertex' own.
    """

    operation: Operation
    inputs: tuple[int, ...] = ()
    name: str = ""  # for progress, such as "[build 2/5] RUN make"
    lines: tuple[int, int] | None = None  # of the instruction, for messages
    ignore_cache: bool = False  # --no-cache


@dataclass(frozen=True, slots=True)
class Graph:
    """Vertices in an order in which they can be done: inputs before what uses them."""

    vertices: tuple[Vertex, ...]

    def needed_for(self, target: int) -> tuple[int, ...]:
        """Return the positions of ``target`` and all it depends on, in order."""
        needed = {target}
        for position in range(target, -1, -1):
            if position in needed:
                needed.update(self.vertices[position].inputs)
        return tuple(sorted(needed))

    def below(self, target: int) -> tuple[int, ...]:
        """Return the positions whose layers are those of ``target``, which comes first."""
        found = [target]
        while inputs := self.vertices[found[-1]].inputs:
            found.append(inputs[0])  # what an operation works on comes before what it reads
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryItem:
    """An instruction's line in the image's history; ``vertex`` made its layer, None: no layer."""

    created_by: str
    vertex: int | None = None
    comment: str = "buildkit.dockerfile.v0"
    author: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All there is to do for one image of one platform.

    ``config`` holds the base's history and diff_ids, to which the build adds its own; its
    ``created`` is to be filled in.
    """

    graph: Graph
    target: int  # the vertex whose layers are the image's
    config: ImageConfig
    history: tuple[HistoryItem, ...]
    epoch: int | None = None  # SOURCE_DATE_EPOCH in seconds
