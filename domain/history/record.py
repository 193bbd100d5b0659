"""Records of builds, as their journals tell them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from enum import Enum
from typing import Any

from img.domain.dataclass import dataclass
from img.domain.digest import Digest, InvalidDigest
from img.domain.history.facts import StepFacts
from img.domain.history.journal import JournalEntry
from img.domain.oci.chain import DiffID, Layer
from img.domain.oci.descriptor import Descriptor

_LATEST = 253402300799  # the last second of the year 9999, which datetime can tell


class Outcome(Enum):
    """The state of a step."""

    RUNNING = "running"
    CACHED = "cached"
    DONE = "done"
    FAILED = "failed"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """A step of a build; times are in seconds since 1970, None if the moment did not come."""

    vertex: str
    name: str = ""  # such as "[build 2/5] RUN make"
    started: float | None = None
    ended: float | None = None
    outcome: Outcome = Outcome.RUNNING
    message: str = ""  # of a failure
    warnings: tuple[str, ...] = ()
    received: int = 0  # bytes of downloads
    log: int | None = None  # the number of its output in the logs
    facts: StepFacts | None = None

    @property
    def seconds(self) -> float:
        """The time from start to end, 0 for a step that was not run or has not ended."""
        if self.started is None or self.ended is None or self.outcome is Outcome.CACHED:
            return 0.0
        return max(self.ended - self.started, 0.0)

    @property
    def is_instruction(self) -> bool:
        """True for a step of a Dockerfile, and for a base image."""
        # FROM scratch is not shown; there are no facts about a step that has not ended.
        return bool(self.name) and (self.facts is not None or bool(self.number))

    @property
    def stage(self) -> str:
        """The words in brackets without the step's number: ``build``; "" for a single stage."""
        prefix = self.name.partition("] ")[0].removeprefix("[") if "] " in self.name else ""
        return " ".join(word for word in prefix.split() if "/" not in word or not _counts(word))

    @property
    def text(self) -> str:
        """The instruction: ``RUN make``."""
        return self.name.partition("] ")[2] or self.name

    @property
    def keyword(self) -> str:
        """The first word of the instruction: ``RUN``."""
        return self.text.removeprefix("ONBUILD ").partition(" ")[0]

    @property
    def number(self) -> str:
        """The number in the brackets: ``2/5``, "" without one."""
        prefix, bracket, _ = self.name.partition("] ")
        if not (bracket and prefix.startswith("[")):
            return ""
        return next((word for word in prefix.strip("[").split() if _counts(word)), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltRecord:
    """An image that a build made."""

    target: str  # of a bake, "" otherwise
    digest: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRecord:
    """A build. ``status`` is running, completed, error, canceled or interrupted."""

    id: str
    started: float
    ended: float | None = None
    status: str = "running"
    error: str = ""
    command: str = ""
    options: Mapping[str, object] = field(default_factory=dict)
    namespace: str = ""
    version: str = ""
    steps: tuple[StepRecord, ...] = ()
    images: tuple[BuiltRecord, ...] = ()
    size: int = 0  # bytes on disk

    @property
    def seconds(self) -> float:
        """The duration up to the end, or to the last entry of a build that did not end."""
        moments = [each.ended or each.started or self.started for each in self.steps]
        return max((self.ended or max(moments, default=self.started)) - self.started, 0.0)

    @property
    def name(self) -> str:
        """A description: the first name of the image, else the context and the target."""
        for image in self.images:
            if image.names:
                return image.names[0]
        if tags := texts_in(self.options.get("tag")):
            return tags[0]
        parts = [*texts_in(self.options.get("context")), *texts_in(self.options.get("target"))]
        return " ".join(parts) or self.command

    @property
    def instructions(self) -> Sequence[StepRecord]:
        """The steps of Dockerfiles and the base images."""
        return [step for step in self.steps if step.is_instruction]

    @property
    def failed(self) -> StepRecord | None:
        """The first step that failed, one of a Dockerfile if there is one."""
        failed = [step for step in self.steps if step.outcome is Outcome.FAILED]
        return next((step for step in failed if step.is_instruction), (*failed, None)[0])

    def step(self, vertex: str) -> StepRecord | None:
        """Return the step with this ID, None if there is none."""
        return next((step for step in self.steps if step.vertex == vertex), None)

    def layers_of(self, vertex: str) -> tuple[Layer, ...] | None:
        """Return the layers of the result of a step, lowest first; None if they are not known."""
        added: list[Layer] = []
        while True:
            step = self.step(vertex)
            if step is None or step.facts is None:
                return None
            if not step.facts.inputs:
                return (*step.facts.layers, *reversed(added))
            if step.facts.layer is not None:
                added.append(step.facts.layer)
            elif not step.facts.key:
                return None
            below = step.facts.inputs[0]
            if below == vertex:
                return None
            vertex = below


def record_of(
    entries: Iterable[JournalEntry],
    *,
    id: str,  # noqa: A002 (the name of the field)
    started: float,
    size: int = 0,
    running: bool = False,
) -> BuildRecord:
    """Return the record that a journal tells; entries that make no sense are left out.

    A build without an end that is not ``running`` was killed: it is interrupted.
    """
    build: dict[str, Any] = {"status": "running" if running else "interrupted"}
    steps: dict[str, dict[str, Any]] = {}
    images: list[BuiltRecord] = []
    for entry in entries:
        at, kind = _number(entry.get("t")), entry.get("e")
        vertex = entry.get("v")
        if kind == "asked":
            build["options"] = _object(entry.get("options"))
            for name in ("command", "namespace", "version"):
                build[name] = _text(entry.get(name))
        elif kind == "ended":
            build["ended"] = at
            for name in ("status", "error"):
                build[name] = _text(entry.get(name))
        elif kind == "image":
            names = texts_in(entry.get("names"))
            digest = _text(entry.get("digest"))
            images.append(
                BuiltRecord(target=_text(entry.get("target")), digest=digest, names=names)
            )
        elif isinstance(vertex, str):
            step = steps.get(vertex)
            if step is None:
                step = steps[vertex] = {"vertex": vertex}
            _tell(step, entry, at)
    made = tuple(StepRecord(**step) for step in steps.values())
    return BuildRecord(id=id, started=started, size=size, steps=made, images=tuple(images), **build)


def _tell(step: dict[str, Any], entry: JournalEntry, at: float) -> None:
    """Put what an entry tells of a step into the fields of its StepRecord."""
    match entry.get("e"):
        case "started":
            name = _text(entry.get("name"))
            step.update(name=name, started=at, ended=None, outcome=Outcome.RUNNING)
        case "cached":
            name = _text(entry.get("name"))
            step.update(name=name, started=at, ended=at, outcome=Outcome.CACHED)
        case "done":
            step.update(ended=at, outcome=Outcome.DONE)
        case "failed":
            message = _text(entry.get("message"))
            step.update(ended=at, outcome=Outcome.FAILED, message=message)
        case "canceled":
            step.update(ended=at, outcome=Outcome.CANCELED)
        case "warning":
            step["warnings"] = (*step.get("warnings", ()), _text(entry.get("message")))
        case "received":
            step["received"] = step.get("received", 0) + int(_number(entry.get("bytes")))
        case "log":
            step["log"] = int(_number(entry.get("n")))
        case "facts":
            step["facts"] = _facts(entry)


def _facts(entry: JournalEntry) -> StepFacts:
    lines = entry.get("lines")
    return StepFacts(
        operation=_object(entry.get("operation")),  # type: ignore[arg-type]
        inputs=texts_in(entry.get("inputs")),
        keys=texts_in(entry.get("keys")),
        contents=texts_in(entry.get("contents")),
        arguments=texts_in(entry.get("arguments")),
        lines=_lines(lines),
        ignore_cache=entry.get("ignore_cache") is True,
        key=_text(entry.get("key")),
        layers=tuple(
            layer for each in _list(entry.get("layers")) if (layer := decoded_layer(each))
        ),
        layer=decoded_layer(entry.get("layer")),
        kept=decoded_layer(entry.get("kept")),
    )


def decoded_layer(value: object) -> Layer | None:
    """Return the layer that encoded_layer wrote, None for anything else."""
    match value:
        case [str(diff_id), str(digest), int(size), str(media_type)] if 0 <= size < 1 << 63:
            try:
                blob = Descriptor(media_type=media_type, digest=Digest.parse(digest), size=size)
                return Layer(DiffID(Digest.parse(diff_id)), blob)
            except InvalidDigest:
                return None
        case _:
            return None


def texts_in(value: object) -> tuple[str, ...]:
    """Return the texts of a list, or a text alone; () for anything else."""
    if isinstance(value, str):
        return (value,) if value else ()
    return tuple(each for each in _list(value) if isinstance(each, str))


def _lines(value: object) -> tuple[int, int] | None:
    match value:
        case [int(first), int(last)]:
            return first, last
        case _:
            return None


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> float:
    """Return a time or a number of bytes, 0 for anything that is none."""
    if isinstance(value, int | float) and 0 <= value <= _LATEST:  # false for NaN
        return float(value)
    return 0.0


def _counts(word: str) -> bool:
    done, slash, total = word.partition("/")
    return bool(slash) and done.isdecimal() and total.isdecimal()
