"""Progress events of the vertices of a build."""

from collections.abc import Iterable, Iterator
from dataclasses import field

from img.application.cancellation import StepCanceled
from img.application.ports.executor import Cancellation
from img.application.ports.progress_sink import ProgressSink
from img.domain.dataclass import dataclass
from img.domain.graph.operations import ReadContext, Scratch
from img.domain.graph.vertex import Graph
from img.domain.oci.descriptor import Descriptor
from img.domain.progress import (
    VertexCached,
    VertexCanceled,
    VertexDone,
    VertexFailed,
    VertexOutput,
    VertexStarted,
    VertexStatus,
)


@dataclass(slots=True)
class StepProgress:
    """The progress of one vertex, which one thread works on.

    ``cancelled`` is set when the build is given up.
    """

    sink: ProgressSink
    vertex: str  # the ID in events
    name: str
    cancelled: Cancellation
    inputs: tuple[str, ...] = ()  # the IDs of the vertices that it needs
    _started: bool = field(default=False)

    def started(self, worker: str = "") -> None:
        """Show that the work begins, on a ``worker`` of a cluster if it has a name."""
        self._started = True
        self.sink.emit(
            VertexStarted(vertex=self.vertex, name=self.name, inputs=self.inputs, worker=worker)
        )

    def cached(self) -> None:
        """Show that the result was found."""
        self.sink.emit(VertexCached(vertex=self.vertex, name=self.name, inputs=self.inputs))

    def done(self) -> None:
        """Show that the work is done."""
        self.sink.emit(VertexDone(vertex=self.vertex))

    def canceled(self) -> None:
        """Show that the work was given up, if it had begun."""
        if self._started:
            self.sink.emit(VertexCanceled(vertex=self.vertex))

    def failed(self, message: str) -> None:
        """Show why the vertex failed, whether the work had begun or not."""
        if not self._started:
            self.started()
        self.sink.emit(VertexFailed(vertex=self.vertex, message=message))

    def output(self, stream: int, data: bytes) -> None:
        """Show output of the process (an OutputSink)."""
        self.sink.emit(VertexOutput(vertex=self.vertex, stream=stream, data=data))

    def transferred(self, current: int, total: int) -> None:
        """Show how much of a download has arrived (a ProgressCallback)."""
        self._status("transferring", current, total)

    def pulled(self, blob: Descriptor, current: int, done: bool) -> None:
        """Show how much of a layer has arrived (a Report). Raises StepCanceled if cancelled."""
        if self.cancelled.is_set():
            raise StepCanceled
        self._status(str(blob.digest), current, blob.size, done=done)

    def _status(self, item: str, current: int, total: int, *, done: bool = False) -> None:
        self.sink.emit(
            VertexStatus(vertex=self.vertex, item=item, current=current, total=total, done=done)
        )


def vertex_id(label: str, position: int) -> str:
    """Return the ID of a vertex in events; ``label`` distinguishes the images of one build."""
    return f"{label}{position}"


def vertex_ids(graph: Graph, target: int, label: str) -> Iterator[str]:
    """Yield the IDs of the steps that ``target`` needs and that are shown."""
    return _shown(graph, graph.needed_for(target), label)


def input_ids(graph: Graph, position: int, label: str) -> tuple[str, ...]:
    """Return the IDs of the inputs of a step that are shown, each once."""
    return tuple(dict.fromkeys(_shown(graph, graph.vertices[position].inputs, label)))


def _shown(graph: Graph, positions: Iterable[int], label: str) -> Iterator[str]:
    for position in positions:
        match graph.vertices[position].operation:
            case Scratch() | ReadContext(name=""):
                continue
            case _:
                yield vertex_id(label, position)
