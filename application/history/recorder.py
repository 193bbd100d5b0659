"""The record of the build of this process."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from threading import Lock

from img.application.ports.build_history import BuildHistory, LogPiece, RecordWriter
from img.application.ports.clock import Clock
from img.application.ports.progress_sink import ProgressSink
from img.application.solver.observer import StepObserver
from img.domain.errors import ImgError
from img.domain.graph.codec import Json
from img.domain.history.facts import StepFacts, secret_values
from img.domain.history.journal import (
    asked_entry,
    ended_entry,
    event_entry,
    facts_entry,
    image_entry,
    log_entry,
    without,
)
from img.domain.history.limits import KeepRecords
from img.domain.oci.descriptor import Descriptor
from img.domain.progress import Event, VertexOutput


class BuildRecorder(ProgressSink, StepObserver):
    """The record of a build, from ``recording`` to its end; without one it does nothing."""

    def __init__(self, history: BuildHistory, clock: Clock, keep: KeepRecords) -> None:
        self._history = history
        self._clock = clock
        self._keep = keep
        self._writer: RecordWriter | None = None
        self._started = 0.0
        self._numbers: dict[str, int] = {}  # of the vertices with output
        self._failure = ""
        self._hidden: dict[str, str] = {}  # values of secret arguments, and what is kept instead
        self._lock = Lock()

    @property
    def id(self) -> str:
        """The ID of the record, "" if there is none."""
        return "" if self._writer is None else self._writer.id

    @property
    def observes(self) -> bool:
        return self._writer is not None

    @contextmanager
    def recording(
        self, command: str, options: Mapping[str, Json], namespace: str, version: str
    ) -> Iterator[None]:
        """Record the build that is done inside; older records are deleted in the end."""
        self._started = self._now()
        self._numbers, self._failure, self._hidden = {}, "", {}
        self._writer = writer = self._history.begin(self._started)
        writer.note(asked_entry(command, options, namespace, version, self._started))
        status, message = "canceled", ""
        try:
            yield
            status, message = ("error", self._failure) if self._failure else ("completed", "")
        except ImgError as error:
            status, message = "error", error.message
            raise
        except Exception as error:
            status, message = "error", f"{type(error).__name__}: {error}"
            raise
        finally:
            writer.note(without(self._hidden, ended_entry(status, message, self._now())))
            writer.close()
            self._tidy()

    def emit(self, event: Event) -> None:
        writer = self._writer
        if writer is None:
            return
        now = self._now()
        if isinstance(event, VertexOutput):
            number = self._number(event.vertex, now, writer)
            after_ms = min(max(int((now - self._started) * 1000), 0), 0xFFFFFFFF)
            writer.output(LogPiece(number, event.stream, after_ms, event.data))
        elif (entry := event_entry(event, now)) is not None:
            writer.note(without(self._hidden, entry))

    def hide(self, arguments: Mapping[str, str]) -> None:
        found = secret_values(arguments)
        if found:
            with self._lock:  # threads read the other dictionary meanwhile
                self._hidden = {**self._hidden, **found}

    def solved(self, vertex: str, facts: StepFacts) -> None:
        if self._writer is not None:
            self._writer.note(without(self._hidden, facts_entry(vertex, facts, self._now())))

    def close(self) -> None:
        """Do nothing: each event is written immediately."""

    def built(self, target: str, image: Descriptor, names: Sequence[str]) -> None:
        """Record an image; ``target`` is that of a bake, or ""."""
        if self._writer is not None:
            self._writer.note(image_entry(target, image, [*names], self._now()))

    def failed(self, message: str) -> None:
        """Record the build as failed, although it ends without an exception."""
        self._failure = message

    def _number(self, vertex: str, now: float, writer: RecordWriter) -> int:
        with self._lock:
            number = self._numbers.get(vertex)
            if number is None:
                number = self._numbers[vertex] = len(self._numbers)
                writer.note(log_entry(vertex, number, now))
        return number

    def _tidy(self) -> None:
        size = self._history.size
        stored = [(each.id, each.started, size(each.id)) for each in self._history.records()]
        for record in self._keep.superfluous(stored, self._now()):
            with suppress(ImgError):  # another process did it, or it is running
                self._history.remove(record)

    def _now(self) -> float:
        return self._clock.now().timestamp()
