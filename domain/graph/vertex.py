"""The graph of a build."""

from collections.abc import Mapping
from dataclasses import field

from img.domain.dataclass import dataclass
from img.domain.graph.operations import Operation
from img.domain.oci.config import ImageConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Vertex:
    """An operation and its inputs.

    ``inputs`` are positions of other vertices in the graph, always lower than the vertex's own.
    """

    operation: Operation
    inputs: tuple[int, ...] = ()
    name: str = ""  # for progress, such as "[build 2/5] RUN make"
    lines: tuple[int, int] | None = None  # of the instruction, for messages
    ignore_cache: bool = False  # --no-cache
    arguments: tuple[str, ...] = ()  # the variables of a RUN that are ARGs


@dataclass(frozen=True, slots=True)
class Graph:
    """Vertices in topological order: inputs come first."""

    vertices: tuple[Vertex, ...]

    def needed_for(self, target: int) -> tuple[int, ...]:
        """Return the positions of ``target`` and its dependencies, in order."""
        needed = {target}
        for position in range(target, -1, -1):
            if position in needed:
                needed.update(self.vertices[position].inputs)
        return tuple(sorted(needed))

    def below(self, target: int) -> tuple[int, ...]:
        """Return the positions of the vertices with the layers of ``target``, topmost first."""
        found = [target]
        while inputs := self.vertices[found[-1]].inputs:
            found.append(inputs[0])  # the root is the first input
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryItem:
    """An instruction in the image's history; ``vertex`` made its layer, None: it has no layer."""

    created_by: str
    vertex: int | None = None
    comment: str = "buildkit.dockerfile.v0"
    author: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The plan of one image for one platform.

    ``config`` holds the base's history and diff_ids; the build adds its own, and sets
    ``created``. A bill of materials also covers the vertices in ``scanned``, by stage, and with
    ``scans_context`` the main context.
    """

    graph: Graph
    target: int  # the vertex that makes the image's top layer
    config: ImageConfig
    history: tuple[HistoryItem, ...]
    epoch: int | None = None  # SOURCE_DATE_EPOCH in seconds
    scanned: Mapping[str, int] = field(default_factory=dict, hash=False)
    scans_context: bool = False
