"""The state of a stage while it is lowered, and the scope of its instructions."""

from collections.abc import Mapping
from dataclasses import field, replace

from img.domain.build import BuildRequest
from img.domain.dataclass import dataclass
from img.domain.dockerfile.stage_variables import StageVariables
from img.domain.dockerfile.variables import ExpansionFailed, expand_word
from img.domain.graph.operations import Operation, PullBase, ReadContext
from img.domain.graph.vertex import Graph, HistoryItem, Vertex
from img.domain.oci.config import ImageConfig, RunConfig
from img.domain.platform import Platform
from img.domain.url import redact_urls

_MOST_ADDED = 16 << 20  # characters that expansion may add to the texts of a plan

Lines = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageState:
    """The state of a stage between two of its instructions."""

    root: int  # the vertex with the root of the next instruction
    config: ImageConfig
    platform: Platform
    variables: StageVariables = StageVariables()
    history: tuple[HistoryItem, ...] = ()
    steps_named: int = 0
    cmd_set: bool = False  # CMD was in this stage, so ENTRYPOINT keeps it

    @property
    def env(self) -> Mapping[str, str]:
        """The variables of RUN and of expansion: ENV and ARG."""
        return self.variables.values

    @property
    def run(self) -> RunConfig:
        """The config for containers."""
        return self.config.run

    @property
    def directory(self) -> str:
        """The working directory, by default "/"."""
        return self.config.run.working_dir or "/"

    def with_run(self, run: RunConfig) -> "StageState":
        """Return the state with another config for containers."""
        return replace(self, config=replace(self.config, run=run))

    def with_history(self, created_by: str, vertex: int | None = None) -> "StageState":
        """Return the state with a history line; ``vertex`` made its layer and is the new root.

        Passwords in URLs are removed, because all users of the image can read the history.
        """
        item = HistoryItem(created_by=redact_urls(created_by), vertex=vertex)
        root = self.root if vertex is None else vertex
        return replace(self, history=(*self.history, item), root=root)


class GraphBuilder:
    """A builder of a graph; equal operations with equal inputs become one vertex.

    If one of them ignores the cache, the vertex does (BuildKit client/llb/state.go,
    "mergeMetadata").
    """

    def __init__(self) -> None:
        self._vertices: list[Vertex] = []
        self._positions: dict[tuple[Operation, tuple[int, ...]], int] = {}
        self._added = 0

    def note_added(self, count: int, lines: Lines) -> None:
        """Count the characters that expansion adds. Raises ExpansionFailed above the limit."""
        self._added += count
        if self._added > _MOST_ADDED:
            what = f"variables make the Dockerfile longer than {_MOST_ADDED} characters"
            raise ExpansionFailed(what, lines=lines)

    def add(self, vertex: Vertex) -> int:
        """Return the position of ``vertex``, or of an equal one."""
        operation = vertex.operation
        if isinstance(operation, PullBase):
            operation = replace(operation, reference="")  # the manifest identifies the result
        position = self._positions.setdefault((operation, vertex.inputs), len(self._vertices))
        if position == len(self._vertices):
            self._vertices.append(vertex)
        elif vertex.ignore_cache:
            self._vertices[position] = replace(self._vertices[position], ignore_cache=True)
        return position

    def build(self) -> Graph:
        """Return the graph of all vertices."""
        return Graph(tuple(self._vertices))


@dataclass(frozen=True, slots=True, kw_only=True)
class StageScope:
    """The scope of a stage, which its instructions share."""

    request: BuildRequest
    graph: GraphBuilder
    global_arguments: Mapping[str, str] = field(hash=False)
    escape: str = "\\"
    epoch: int | None = None
    stage_name: str = ""  # as progress shows it; "" for a single stage
    steps: int = 0  # of stages with a name
    ignore_cache: bool = False

    def expand(self, state: StageState, word: str, lines: Lines) -> str:
        """Return ``word``, expanded with the stage's variables. Raises ExpansionFailed."""
        text = expand_word(word, state.env, self.escape, lines=lines).text
        self.graph.note_added(max(len(text) - len(word), 0), lines)
        return text

    def main_context(self) -> int:
        """Return the position of the build context."""
        name = "[internal] load build context"
        return self.graph.add(Vertex(operation=ReadContext(), name=name))
