"""Operations as canonical JSON, for digests."""

import json
from collections.abc import Mapping
from dataclasses import fields
from enum import Enum
from functools import cache
from typing import Any

from img.domain.digest import Digest
from img.domain.graph.operations import Operation
from img.domain.platform import Platform

# Fields that were added to operations later. They are left out if they are empty, so that the keys
# of other operations stay the same.
_LATER = frozenset(("volumes",))

Json = Mapping[str, "Json"] | list["Json"] | str | int | bool | None


def encode_operation(operation: Operation) -> dict[str, Json]:
    """Return ``operation`` as a JSON object: the name of its type, and all fields."""
    return {"operation": type(operation).__name__, **_fields(operation)}


def canonical_json(value: Json) -> bytes:
    """Return ``value`` as canonical JSON: sorted keys, no blanks, UTF-8."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode(errors="surrogateescape")


def _fields(value: Any) -> dict[str, Json]:
    return {
        name: _encoded(found)
        for name in _names(value.__class__)
        if (found := getattr(value, name)) or name not in _LATER
    }


@cache
def _names(kind: type[Any]) -> tuple[str, ...]:
    """Return the names of the fields of a data class."""
    return tuple(each.name for each in fields(kind))


def _encoded(value: object) -> Json:
    match value:
        case None | bool() | int() | str():
            return value
        case Enum():
            return str(value.value)
        case Digest():
            return str(value)
        case Platform():
            return _fields(value)
        case tuple():
            return [_encoded(each) for each in value]
        case _:
            return _fields(value)
