"""What a build tells of its vertices while it works on them."""

from collections.abc import Callable, Iterator
from dataclasses import field
from threading import Event

from img.application.cancellation import StepCanceled
from img.application.ports.progress_sink import ProgressSink
from img.application.solver.fetch_url import Told
from img.application.transfer.download import Report
from img.domain.dataclass import dataclass
from img.domain.graph.operations import ReadContext, Scratch
from img.domain.graph.vertex import Graph, Vertex
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


@dataclass(frozen=True, slots=True, kw_only=True)
class VertexProgress:
    """Events of the vertices of one build; ``label`` tells them from those of other builds."""

    sink: ProgressSink
    label: str = ""
    _begun: set[int] = field(default_factory=set)

    def started(self, position: int, vertex: Vertex) -> None:
        """Tell that the vertex is worked on."""
        self._begun.add(position)
        self.sink.emit(VertexStarted(vertex=self._id(position), name=vertex.name))

    def cached(self, position: int, vertex: Vertex) -> None:
        """Tell that the result was there."""
        self.sink.emit(VertexCached(vertex=self._id(position), name=vertex.name))

    def done(self, position: int) -> None:
        """Tell that the vertex is done."""
        self.sink.emit(VertexDone(vertex=self._id(position)))

    def canceled(self, position: int) -> None:
        """Tell that the vertex was not brought to its end."""
        self.sink.emit(VertexCanceled(vertex=self._id(position)))

    def failed(self, position: int, vertex: Vertex, message: str) -> None:
        """Tell why the vertex failed, begun or not."""
        if position not in self._begun:
            self.started(position, vertex)
        self.sink.emit(VertexFailed(vertex=self._id(position), message=message))

    def output(self, position: int) -> Callable[[int, bytes], None]:
        """Return what takes the output of the vertex' process, by stream."""

        def output(stream: int, data: bytes) -> None:
            self.sink.emit(VertexOutput(vertex=self._id(position), stream=stream, data=data))

        return output

    def transferred(self, position: int) -> Told:
        """Return what takes how far a download is."""

        def told(current: int, total: int) -> None:
            self.sink.emit(
                VertexStatus(
                    vertex=self._id(position), item="transferring", current=current, total=total
                )
            )

        return told

    def pulled(self, position: int, cancelled: Event) -> Report:
        """Return what takes how far each layer is. It raises StepCanceled once that is set."""

        def report(blob: Descriptor, current: int, done: bool) -> None:
            if cancelled.is_set():
                raise StepCanceled
            self.sink.emit(
                VertexStatus(
                    vertex=self._id(position),
                    item=str(blob.digest),
                    current=current,
                    total=blob.size,
                    done=done,
                )
            )

        return report

    def _id(self, position: int) -> str:
        return _id(self.label, position)


def vertex_ids(graph: Graph, target: int, label: str) -> Iterator[str]:
    """Yield what progress calls the steps that ``target`` needs: those that are shown."""
    for position in graph.needed_for(target):
        match graph.vertices[position].operation:
            case Scratch() | ReadContext(name=""):
                continue
            case _:
                yield _id(label, position)


def _id(label: str, position: int) -> str:
    return f"{label}{position}"
