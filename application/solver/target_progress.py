"""Progress of one of several builds."""

from dataclasses import replace

from img.application.ports.progress_sink import ProgressSink
from img.domain.progress import Event, StepsPlanned, VertexCached, VertexStarted


class TargetProgress(ProgressSink):
    """The progress of one target, among others in ``sink``.

    Names of vertices begin with the target: ``[app build 2/5] RUN make`` (BuildKit does this
    where one client solves several builds).
    """

    def __init__(self, sink: ProgressSink, target: str) -> None:
        self._sink = sink
        self._target = target

    def emit(self, event: Event) -> None:
        match event:
            case StepsPlanned():
                steps = frozenset(map(self._own, event.vertices))
                self._sink.emit(StepsPlanned(plan=self._own(event.plan), vertices=steps))
            case VertexStarted() | VertexCached():
                named = replace(
                    event,
                    vertex=self._own(event.vertex),
                    name=self._named(event.name),
                    inputs=tuple(map(self._own, event.inputs)),
                    group=self._target,
                )
                self._sink.emit(named)
            case _:
                self._sink.emit(replace(event, vertex=self._own(event.vertex)))

    def close(self) -> None:
        """Leave the sink open: other targets use it."""

    def _own(self, name: str) -> str:
        return f"{self._target} {name}"

    def _named(self, name: str) -> str:
        if name.startswith("["):
            return f"[{self._target} {name[1:]}"
        return f"[{self._target}] {name}"
