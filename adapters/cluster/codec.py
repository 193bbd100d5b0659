"""Tasks and answers as JSON, which is checked field by field (ADR 29).

A record names no code: it is read as one expected type. The values of the domain check themselves.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from img.adapters.linux import records
from img.application.cancellation import StepCanceled
from img.application.ports.cluster import ClusterError, LayersMissing, OtherVersion, WorkerUnfit
from img.domain.dataclass import dataclass
from img.domain.digest import Digest, InvalidDigest
from img.domain.errors import (
    BuildError,
    ContextError,
    HostError,
    ImgError,
    NotFoundError,
    RemoteError,
    StateError,
)
from img.domain.graph.operations import Exec
from img.domain.graph.task import KeptMount, TaskInput, TaskOperation, VertexAnswer, VertexTask
from img.domain.oci import media_types
from img.domain.oci.chain import DiffID, Layer
from img.domain.oci.descriptor import Descriptor
from img.domain.platform import Platform
from img.domain.reference import ImageReference

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LAYERS = frozenset(media_types.LAYERS)
_LARGEST = 1 << 62  # bytes of a layer
_MOST_MOUNTS = 256
_MOST_HINT = 4000  # characters of the texts of errors

SAME_VERSION = "install the same version of img on all machines of the cluster"
"""The hint for records that are none."""

BadRecord = records.BadRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    diff_id: str
    digest: str
    media_type: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Input:
    key: str
    layers: tuple[_Layer, ...]
    below: tuple[tuple[str, str], ...]
    dated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mount:
    name: str
    layers: tuple[_Layer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    name: str
    operation: TaskOperation
    inputs: tuple[_Input, ...]
    ignore_cache: bool
    platform: Platform | None
    origins: tuple[tuple[str, tuple[str, ...]], ...]
    store: str
    retries: int
    limit_ms: int | None
    needs_secrets: bool
    secret_guard: bool
    mounts: tuple[_Mount, ...]
    mount_limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    layer: _Layer | None
    created: int  # microseconds since 1970
    content: str | None
    cached: bool
    keeps: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failed:
    """An error: of a ``step``, ``canceled``, of an ``unfit`` worker, ``missing`` layers …"""

    kind: str
    message: str = ""
    hint: str | None = None
    exit_code: int = 1
    digests: tuple[str, ...] = ()


_Answer = _Made | _Failed
# The classes by the exit codes of their families (docs/errors.md).
_FAMILIES: dict[int, type[ImgError]] = {
    each.exit_code: each
    for each in (BuildError, ContextError, RemoteError, NotFoundError, StateError, HostError)
}


def encode_task(task: VertexTask) -> str:
    """Return the task as a record."""
    record = _Task(
        name=task.name,
        operation=task.operation,
        inputs=tuple(
            _Input(
                key=str(each.key),
                layers=tuple(map(_layer_record, each.layers)),
                below=tuple((str(key), str(content)) for key, content in each.below),
                dated=each.dated,
            )
            for each in task.inputs
        ),
        ignore_cache=task.ignore_cache,
        platform=task.platform,
        origins=tuple((str(digest), names) for digest, names in task.origins),
        store=task.store,
        retries=task.retries,
        limit_ms=task.limit_ms,
        needs_secrets=task.needs_secrets,
        secret_guard=task.secret_guard,
        mounts=tuple(map(_mount_record, task.mounts)),
        mount_limit=task.mount_limit,
    )
    return records.encode(record).decode("ascii")


def decode_task(text: str) -> VertexTask:
    """Return the task in a record. Raises BadRecord."""
    record: _Task = _decoded(text, _Task)
    try:
        return _task(record)
    except ImgError as error:
        raise BadRecord(str(error)) from None


def _task(record: _Task) -> VertexTask:
    if isinstance(record.operation, Exec) and record.operation.volumes:
        raise BadRecord("a task with files of the worker")
    return VertexTask(
        name=record.name,
        operation=record.operation,
        inputs=tuple(
            TaskInput(
                key=Digest.parse(each.key),
                layers=_layers(each.layers),
                below=tuple(
                    (Digest.parse(key), Digest.parse(content)) for key, content in each.below
                ),
                dated=each.dated,
            )
            for each in record.inputs
        ),
        ignore_cache=record.ignore_cache,
        platform=record.platform,
        origins=_origins(record.origins),
        store=record.store,
        retries=_within(record.retries, 1 << 16),
        limit_ms=None if record.limit_ms is None else _within(record.limit_ms, _LARGEST),
        needs_secrets=record.needs_secrets,
        secret_guard=record.secret_guard,
        mounts=_mounts(record.mounts),
        mount_limit=_within(record.mount_limit, _LARGEST),
    )


def encode_kept(mounts: Iterable[KeptMount]) -> str:
    """Return cache mounts that a worker has kept as a record."""
    return records.encode(tuple(map(_mount_record, mounts))).decode("ascii")


def kept_from(text: str) -> tuple[KeptMount, ...]:
    """Return the cache mounts in a record. Raises BadRecord."""
    found: tuple[_Mount, ...] = _decoded(text, tuple[_Mount, ...])
    try:
        return _mounts(found)
    except ImgError as error:
        raise BadRecord(str(error)) from None


def encode_answer(answer: VertexAnswer) -> str:
    """Return the answer as a record; it has a time."""
    assert answer.created is not None
    record = _Made(
        layer=None if answer.layer is None else _layer_record(answer.layer),
        created=(answer.created - _EPOCH) // _MICROSECOND,
        content=None if answer.content is None else str(answer.content),
        cached=answer.cached,
        keeps=answer.keeps,
    )
    return records.encode(record).decode("ascii")


def encode_error(error: ImgError) -> str:
    """Return an error as a record."""
    match error:
        case StepCanceled():
            record = _Failed(kind="canceled")
        case LayersMissing():
            record = _Failed(
                kind="missing", digests=tuple(map(str, error.digests)), message=error.message
            )
        case WorkerUnfit():
            record = _error_record("unfit", error.cause)
        case OtherVersion():
            record = _error_record("version", error)
        case ClusterError():
            record = _error_record("fault", error)
        case _:
            record = _error_record("step", error)
    return records.encode(record).decode("ascii")


def answer_from(text: str, worker: str) -> VertexAnswer:
    """Return the answer in a record of ``worker``. Raises the error in it, ClusterError."""
    try:
        record: _Answer = _decoded(text, _Answer)
        if isinstance(record, _Made):
            return _answer(record, worker)
        failure = _error(record, worker)
    except (BadRecord, InvalidDigest):
        raise ClusterError(
            f"the worker {worker} sent an answer that is none",
            hint=SAME_VERSION,
        ) from None
    raise failure


def _answer(record: _Made, worker: str) -> VertexAnswer:
    try:
        created = _EPOCH + record.created * _MICROSECOND
    except OverflowError:
        raise BadRecord("no time") from None
    return VertexAnswer(
        layer=None if record.layer is None else _layers([record.layer])[0],
        created=created,
        content=None if record.content is None else Digest.parse(record.content),
        cached=record.cached,
        keeps=record.keeps,
        worker=worker,
    )


def _error(record: _Failed, worker: str) -> ImgError:
    hint = None if record.hint is None else record.hint[:_MOST_HINT]
    message = record.message[:_MOST_HINT]
    match record.kind:
        case "canceled":
            return StepCanceled()
        case "missing":
            return LayersMissing(worker, [*map(Digest.parse, record.digests)], message)
        case "version" | "fault":
            return ClusterError(message, hint=hint)
    family = _FAMILIES.get(record.exit_code, BuildError)
    error = family(message, hint=hint)
    return WorkerUnfit(worker, error) if record.kind == "unfit" else error


def _error_record(kind: str, error: ImgError) -> _Failed:
    return _Failed(kind=kind, message=error.message, hint=error.hint, exit_code=error.exit_code)


def _mount_record(mount: KeptMount) -> _Mount:
    return _Mount(name=mount.name, layers=tuple(map(_layer_record, mount.layers)))


def _mounts(listed: tuple[_Mount, ...]) -> tuple[KeptMount, ...]:
    if len(listed) > _MOST_MOUNTS or any(len(each.layers) > _MOST_MOUNTS for each in listed):
        raise BadRecord("too many cache mounts")
    return tuple(KeptMount(name=each.name, layers=_layers(each.layers)) for each in listed)


def _layer_record(layer: Layer) -> _Layer:
    blob = layer.descriptor
    return _Layer(
        diff_id=str(layer.diff_id),
        digest=str(blob.digest),
        media_type=blob.media_type,
        size=blob.size,
    )


def _layers(listed: Iterable[_Layer]) -> tuple[Layer, ...]:
    return tuple(
        Layer(
            DiffID(Digest.parse(each.diff_id)),
            Descriptor(
                media_type=_of_layer(each.media_type),
                digest=Digest.parse(each.digest),
                size=_within(each.size, _LARGEST),
            ),
        )
        for each in listed
    )


def _origins(
    listed: tuple[tuple[str, tuple[str, ...]], ...],
) -> tuple[tuple[Digest, tuple[str, ...]], ...]:
    """Return the repositories by blob. Raises InvalidDigest, InvalidReference."""
    for _, repositories in listed:
        for each in repositories:
            ImageReference.parse(each, default_tag=False)
    return tuple((Digest.parse(digest), names) for digest, names in listed)


def _of_layer(media_type: str) -> str:
    if media_type not in _LAYERS:
        raise BadRecord(f"{media_type!r} is no layer")
    return media_type


def _within(number: int, largest: int) -> int:
    if not 0 <= number < largest:
        raise BadRecord(f"{number} is out of range")
    return number


def _decoded(text: str, kind: object) -> Any:
    """Return the value of a record. Raises BadRecord."""
    try:
        return records.decode(text.encode("ascii"), kind)
    except (UnicodeEncodeError, ImgError) as error:  # a value that the domain refuses
        raise BadRecord(str(error)) from None
