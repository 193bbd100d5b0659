"""The content of a report on a build. All texts are safe to show, and have bounded lengths."""

from collections.abc import Sequence

from img.domain.dataclass import dataclass
from img.domain.report.file_map import FileMap
from img.domain.report.log_excerpt import LogExcerpt
from img.domain.shown_text import shown_in_line

_LONGEST = 1000  # characters of a name or message


def short_text(text: str) -> str:
    """Return ``text`` in one line, without control characters, cut if it is very long."""
    shown = shown_in_line(text[: 4 * _LONGEST])
    return f"{shown[:_LONGEST]}…" if len(shown) > _LONGEST else shown


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportStep:
    """A step; times are in seconds since the start of the build."""

    number: int | None  # as in `img history inspect`; None for a step of img itself
    name: str
    stage: str
    status: str  # an Outcome
    start: float
    end: float
    inputs: tuple[int, ...] = ()  # places of the steps that it waited for
    waited: float = 0.0  # seconds between the end of its inputs and its start
    critical: bool = False
    size: int | None = None  # bytes of its layer, compressed
    received: int = 0  # bytes of downloads
    lines: tuple[int, int] | None = None  # of the Dockerfile
    message: str = ""
    reasons: tuple[str, ...] = ()  # why it ran
    warnings: tuple[str, ...] = ()
    log: LogExcerpt | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLayer:
    """A layer of an image."""

    step: str  # "" if the image does not say
    digest: str
    size: int  # bytes, compressed
    of_base: bool
    unpacked: int  # bytes of its files
    added: int  # paths
    changed: int
    removed: int
    wasted: int  # bytes of its files that the image has for nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportWaste:
    """A file that an image has for nothing."""

    reason: str
    path: str
    size: int  # bytes
    layer: int  # from 0
    by: int | None = None  # the layer that overwrites or deletes it
    original: str = ""  # the path of the same content


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportImage:
    """An image that the build made, or the reason why nothing is known of its files."""

    names: tuple[str, ...]
    digest: str
    target: str = ""  # of a bake
    missing: str = ""
    by_steps: bool = False  # the layers are those of the steps: the image is not in the state
    layers: tuple[ReportLayer, ...] = ()
    files: FileMap | None = None
    totals: tuple[tuple[str, int, int], ...] = ()  # a reason, its files and their bytes
    wasted: int = 0  # bytes
    waste: tuple[ReportWaste, ...] = ()  # largest first, not all of them


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildReport:
    """A build, as its report shows it."""

    id: str
    name: str
    status: str
    command: str
    version: str
    context: str
    directory: str
    options: tuple[str, ...]
    started: float  # seconds since 1970
    seconds: float
    error: str
    steps: Sequence[ReportStep]
    images: Sequence[ReportImage]
