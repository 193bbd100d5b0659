"""The document of an exported cache: the records of a build.

It is the config of a manifest with the layers of the records (``--cache-to`` type=registry,
local), or a field of the image's config (type=inline).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.oci.chain import DiffID
from img.domain.oci.fields import Fields, compact

CACHE_CONFIG = "application/vnd.img.cache.config.v1+json"
INLINE_FIELD = "img.cache.v1"

_DOCUMENT = "build cache"
_VERSION = 1


Input = tuple[Digest, Digest]
"""The definition key of what results were made from, and what it held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedRecord:
    """A result and its keys; ``diff_id`` is None for a result without a layer.

    ``made_from`` are definition keys and contents (provenance.py); that of the root is first.
    """

    keys: tuple[Digest, ...]
    diff_id: DiffID | None
    created: datetime  # UTC
    description: str = ""
    made_from: tuple[Input, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedMount:
    """A directory of RUN --mount=type=cache: its name, and the layer with its files."""

    name: str
    diff_id: DiffID


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedCache:
    """Records and their layers; ``diff_ids`` are in the order of the manifest's layers.

    ``variant`` separates results of inexact builds (``--emulate=fake``) from exact ones.
    """

    records: tuple[ExportedRecord, ...] = ()
    mounts: tuple[ExportedMount, ...] = ()
    diff_ids: tuple[DiffID, ...] = ()
    variant: str = ""

    def rewritten(
        self,
        layers: Mapping[DiffID, DiffID],
        contents: Mapping[Digest, Digest],
        latest: datetime | None,
    ) -> "ExportedCache":
        """Return the cache with the names of its layers in ``layers``, if they have one.

        ``contents`` are those of stacks of such layers. Times of results are at most
        ``latest``.
        """
        records = tuple(
            replace(
                record,
                diff_id=record.diff_id and layers.get(record.diff_id, record.diff_id),
                created=record.created if latest is None else min(record.created, latest),
                made_from=tuple(
                    (key, contents.get(content, content)) for key, content in record.made_from
                ),
            )
            for record in self.records
        )
        return replace(self, records=records)


def cache_object(cache: ExportedCache) -> dict[str, object]:
    """Return ``cache`` as a JSON object; equal caches have equal objects."""
    document: dict[str, object] = {"version": _VERSION}
    if cache.variant:
        document["variant"] = cache.variant
    document["diffIds"] = [str(diff_id) for diff_id in cache.diff_ids]
    inputs = list(dict.fromkeys(each for record in cache.records for each in record.made_from))
    places = {each: place for place, each in enumerate(inputs)}
    document["records"] = [_record_object(record, places) for record in cache.records]
    if inputs:  # each once: the provenance of a stage is part of all results that copy from it
        document["inputs"] = [{"key": str(key), "content": str(content)} for key, content in inputs]
    if cache.mounts:
        document["mounts"] = [
            {"name": mount.name, "diffId": str(mount.diff_id)} for mount in cache.mounts
        ]
    return document


def encode_cache(cache: ExportedCache) -> bytes:
    """Return the bytes of ``cache``."""
    return compact(cache_object(cache))


def decode_cache(content: bytes) -> ExportedCache:
    """Return the cache in the document ``content``. Raises InvalidDocument."""
    return _cache(Fields.parse(content, _DOCUMENT))


def cache_in(value: object) -> ExportedCache:
    """Return the cache in a JSON object. Raises InvalidDocument."""
    return _cache(Fields(value, _DOCUMENT))


def _cache(fields: Fields) -> ExportedCache:
    if (version := fields.number("version")) != _VERSION:
        fields.refuse("version", f"{version} is not supported")
    inputs = tuple(
        (each.digest("key"), each.digest("content")) for each in fields.nested_list("inputs")
    )
    return ExportedCache(
        variant=fields.text("variant"),
        diff_ids=tuple(DiffID(digest) for digest in fields.digests("diffIds")),
        records=tuple(_record(record, inputs) for record in fields.nested_list("records")),
        mounts=tuple(
            ExportedMount(name=mount.required_text("name"), diff_id=DiffID(mount.digest("diffId")))
            for mount in fields.nested_list("mounts")
        ),
    )


def _record_object(record: ExportedRecord, places: Mapping[Input, int]) -> dict[str, object]:
    document: dict[str, object] = {"keys": [str(key) for key in record.keys]}
    if record.diff_id is not None:
        document["diffId"] = str(record.diff_id)
    document["created"] = record.created.astimezone(UTC).isoformat(timespec="microseconds")
    if record.description:
        document["description"] = record.description
    if record.made_from:
        document["madeFrom"] = [places[each] for each in record.made_from]
    return document


def _record(fields: Fields, inputs: Sequence[Input]) -> ExportedRecord:
    text = fields.required_text("created")
    try:
        created = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        fields.refuse("created", f"{text!r} is no time")
    return ExportedRecord(
        keys=fields.digests("keys"),
        diff_id=DiffID(fields.digest("diffId")) if "diffId" in fields else None,
        created=created,
        description=fields.text("description"),
        made_from=tuple(inputs[place] for place in fields.places("madeFrom", among=len(inputs))),
    )
