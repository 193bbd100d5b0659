"""The records between a worker and its process for steps: one line of JSON for each."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any, BinaryIO

from img.adapters.linux import records
from img.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Solve:
    """A request to perform the task ``task`` (codec.py); ``number`` is its name in answers."""

    number: int
    task: str
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Stop:
    """A request to stop a task; its answer follows."""

    number: int


@dataclass(frozen=True, slots=True)
class Output:
    """Output of the step of a task: 1 for stdout or 2 for stderr."""

    number: int
    stream: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """The end of a task: its answer as a record (codec.py). With ``keeps``, Kept follows."""

    number: int
    answer: str
    keeps: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """The cache mounts of a task that has ended which the worker has kept, as a record."""

    number: int
    mounts: str


Request = Solve | Stop
Event = Output | Answered | Kept


def line_of(value: Request | Event) -> bytes:
    """Return ``value`` as one line."""
    return records.encode(value) + b"\n"


def read_request(stream: BinaryIO) -> Request | None:
    """Return the next request, None at the end of ``stream``. Raises BadRecord."""
    request: Request | None = _decoded(stream.readline(), Request)
    return request


def read_event(stream: BinaryIO) -> Event | None:
    """Return the next event, None at the end of ``stream``. Raises BadRecord."""
    event: Event | None = _decoded(stream.readline(), Event)
    return event


def _decoded(line: bytes, kind: object) -> Any:
    return records.decode(line, kind) if line.endswith(b"\n") else None
