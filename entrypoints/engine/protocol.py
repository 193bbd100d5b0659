"""The records between the Python API and its engine: one line of JSON for each (ADR 48).

The API sends a request and receives progress events and messages, and then one answer. Nothing in a
record names code; each is checked against the annotations of the expected types.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Any, BinaryIO

from img.adapters.linux import records
from img.domain.dataclass import dataclass
from img.domain.progress import (
    StepsPlanned,
    VertexCached,
    VertexCanceled,
    VertexDone,
    VertexFailed,
    VertexOutput,
    VertexStarted,
    VertexStatus,
    VertexWarning,
)

BadRecord = records.BadRecord


@dataclass(frozen=True, slots=True)
class Run:
    """A request to run a command with the arguments of the command line; the answer is ``Ran``."""

    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecord:
    """An image of the store or of a registry; "" is unknown."""

    digest: str
    media_type: str
    size: int  # bytes: of all blobs if the image is in the store, else of the manifest
    document_size: int  # bytes of the manifest or index
    names: tuple[str, ...] = ()
    id: str = ""
    created: str = ""  # RFC 3339


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenImage:
    """A request to open an image, by name or else the image itself; the answer is ``Opened``."""

    name: str = ""
    image: ImageRecord | None = None
    platform: str = ""  # "" is this machine's
    state: str = ""


@dataclass(frozen=True, slots=True)
class Find:
    """A request for the entry at a path of the open image; the answer is ``Found``.

    Links are followed in the parents of the path, and with ``follow`` also at its end.
    """

    path: str
    follow: bool


@dataclass(frozen=True, slots=True)
class Glob:
    """A request for the entries with paths that match a pattern; the answer is ``Found``."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Read:
    """A request for the content of a regular file; the answers are ``Chunk`` and then ``End``."""

    path: str


Request = Run | OpenImage | Find | Glob | Read


@dataclass(frozen=True, slots=True)
class Message:
    """A line that the command line would print."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A successful command: the images or lines of its result, and the state directory.

    The keys are the names of targets for bake, the pushed names for push, and else numbers.
    """

    state: str
    images: Mapping[str, ImageRecord] = field(default_factory=dict)
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An open image: its documents as they are stored."""

    image: ImageRecord
    manifest: bytes
    config: bytes
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """An entry of an image, as domain/filesystem/entry.py has it."""

    path: str
    kind: str
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    link: str
    device: tuple[int, int]
    xattrs: tuple[tuple[str, bytes], ...]
    digest: str


@dataclass(frozen=True, slots=True)
class Found:
    """The entries that a request asked for."""

    files: tuple[FileRecord, ...]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of the content of a file."""

    data: bytes


@dataclass(frozen=True, slots=True)
class End:
    """The end of the content of a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """An ImgError: the names of its classes, the most special one first, and its values."""

    kinds: tuple[str, ...]
    message: str
    hint: str | None
    exit_code: int
    lines: tuple[int, int] | None
    excerpt: str


@dataclass(frozen=True, slots=True)
class Crashed:
    """An exception that is a bug: its traceback."""

    traceback: str


Answer = (
    StepsPlanned
    | VertexStarted
    | VertexCached
    | VertexOutput
    | VertexStatus
    | VertexWarning
    | VertexDone
    | VertexFailed
    | VertexCanceled
    | Message
    | Ran
    | Opened
    | Found
    | Chunk
    | End
    | Failed
    | Crashed
)


def line_of(value: Request | Answer) -> bytes:
    """Return ``value`` as one line."""
    return records.encode(value) + b"\n"


def read_request(stream: BinaryIO) -> Request | None:
    """Return the next request, None at the end of ``stream``. Raises BadRecord.

    The end of a sender can cut off its last line, which is the end of the stream too.
    """
    request: Request | None = _decoded(stream.readline(), Request)
    return request


def read_answer(stream: BinaryIO) -> Answer | None:
    """Return the next answer, None at the end of ``stream`` as for ``read_request``.

    Raises BadRecord.
    """
    answer: Answer | None = _decoded(stream.readline(), Answer)
    return answer


def _decoded(line: bytes, kind: object) -> Any:
    if not line.endswith(b"\n"):
        return None
    return records.decode(line, kind)
