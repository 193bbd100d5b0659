"""The attributes of targets: types, forms of entries, what is compared (bake/bake.go, "Target")."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from img.domain.bake.definition.entries import (
    BadEntry,
    Entry,
    attest_entries,
    cache_entries,
    output_entries,
    policy_entries,
    secret_entries,
    ssh_entries,
)
from img.domain.bake.values.convert import BadConversion, convert, to_text
from img.domain.bake.values.numbers import Number
from img.domain.bake.values.types import (
    BOOL,
    DYNAMIC,
    NUMBER,
    STRING,
    ListOf,
    MapOf,
    ObjectOf,
    Primitive,
    SetOf,
    TupleOf,
    Type,
)
from img.domain.bake.values.value import Value, null, string

Resource = str | int
Contents = dict[str, object]
"""The attributes of a target; which type each has, ``content_of`` says."""

_STRINGS = ListOf(STRING)
_TEXT_MAP = MapOf(STRING)
_WHOLE = 1 << 63


class AttributeKind(NamedTuple):
    """A kind of attribute: its type, and the reader of entries that are texts or objects."""

    type: Type
    entries: Callable[[str | dict[str, str]], list[Entry]] | None = None
    nulls: bool = True  # null elements of a map are dropped, else refused


TARGET: Mapping[str, AttributeKind] = {
    "description": AttributeKind(STRING),
    "inherits": AttributeKind(_STRINGS),
    "annotations": AttributeKind(_STRINGS),
    "attest": AttributeKind(DYNAMIC, attest_entries),
    "context": AttributeKind(STRING),
    "contexts": AttributeKind(_TEXT_MAP, nulls=False),
    "dockerfile": AttributeKind(STRING),
    "dockerfile-inline": AttributeKind(STRING),
    "args": AttributeKind(_TEXT_MAP),
    "labels": AttributeKind(_TEXT_MAP),
    "tags": AttributeKind(_STRINGS),
    "cache-from": AttributeKind(DYNAMIC, cache_entries),
    "cache-to": AttributeKind(DYNAMIC, cache_entries),
    "target": AttributeKind(STRING),
    "secret": AttributeKind(DYNAMIC, secret_entries),
    "ssh": AttributeKind(DYNAMIC, ssh_entries),
    "platforms": AttributeKind(_STRINGS),
    "output": AttributeKind(DYNAMIC, output_entries),
    "pull": AttributeKind(BOOL),
    "no-cache": AttributeKind(BOOL),
    "network": AttributeKind(STRING),
    "no-cache-filter": AttributeKind(_STRINGS),
    "shm-size": AttributeKind(STRING),
    "ulimits": AttributeKind(_STRINGS),
    "resources": AttributeKind(DYNAMIC),
    "call": AttributeKind(STRING),
    "entitlements": AttributeKind(_STRINGS),
    "extra-hosts": AttributeKind(_TEXT_MAP),
    "policy": AttributeKind(DYNAMIC, policy_entries),
}
"""All attributes that a target keeps, in the order in which they are printed."""

RESOURCES: Mapping[str, type] = {
    "memory": str,
    "memory-swap": str,
    "cpu-shares": int,
    "cpu-period": int,
    "cpu-quota": int,
    "cpuset-cpus": str,
    "cpuset-mems": str,
}


def unset(name: str) -> Value:
    """Return the value of an unset attribute in expressions."""
    kind = TARGET[name]
    if name == "description":
        return string("")
    if kind.entries is not None:
        return Value(DYNAMIC, ())
    return null(kind.type)


def content_of(name: str, value: Value) -> object:
    """Return the content of an attribute, None if it is as if not set. Raises BadEntry."""
    kind = TARGET[name]
    if value.is_null and kind.entries is None:
        return None
    if name == "resources":
        return _resources(value)
    if kind.entries is not None:
        return _entries(value, kind.entries)
    try:
        made = convert(value, kind.type)
    except BadConversion as error:
        raise BadEntry(str(error)) from None
    if kind.type is STRING:
        return made.text
    if kind.type is BOOL:
        return made.truth
    if isinstance(kind.type, MapOf):
        if not kind.nulls and any(item.is_null for item in made.items):
            raise BadEntry("null value is not allowed")
        return {key: item.text for key, item in made.fields.items() if not item.is_null}
    if any(item.is_null for item in made.items):
        raise BadEntry("null value is not allowed")
    return [item.text for item in made.items]


def _entries(value: Value, parse: Callable[[str | dict[str, str]], list[Entry]]) -> list[Entry]:
    if value.is_null:
        raise BadEntry("null value is not allowed")
    if not isinstance(value.type, ListOf | SetOf | TupleOf):
        raise BadEntry(f"list of map of string required, but have {value.type.friendly}")
    made: list[Entry] = []
    for item in value.items:
        made.extend(parse(_form(item)))
    return made


def _form(item: Value) -> str | dict[str, str]:
    if item.is_null:
        raise BadEntry("null value is not allowed")
    if isinstance(item.type, Primitive):
        return to_text(item)
    if not isinstance(item.type, MapOf | ObjectOf):
        raise BadEntry(f"map of string required, but have {item.type.friendly}")
    return {key: _field(field) for key, field in item.fields.items() if not field.is_null}


def _field(value: Value) -> str:
    if isinstance(value.type, ListOf | SetOf | TupleOf):
        return ",".join(map(_field, value.items))
    try:
        return to_text(value)
    except BadConversion as error:
        raise BadEntry(str(error)) from None


def _resources(value: Value) -> dict[str, Resource]:
    if not isinstance(value.type, MapOf | ObjectOf):
        raise BadEntry(f"object required, but have {value.type.friendly}")
    made: dict[str, Resource] = {}
    for name, of in RESOURCES.items():
        field = value.fields.get(name)
        if field is None or field.is_null:
            continue
        try:
            converted = convert(field, NUMBER if of is int else STRING)
        except BadConversion as error:
            raise BadEntry(f'attribute "{name}": {error}') from None
        made[name] = _whole(converted.number) if of is int else converted.text
    return made


def _whole(number: Number) -> int:
    if not number.is_whole() or not -_WHOLE <= number.whole() < _WHOLE:
        raise BadEntry(
            "value must be a whole number, between -9223372036854775808 and 9223372036854775807"
        )
    return number.whole()


def texts_of(contents: Contents, name: str) -> list[str]:
    """Return the elements of an attribute that is a list of strings."""
    found = contents.get(name)
    return [str(text) for text in found] if isinstance(found, list) else []


def pairs_of(contents: Contents, name: str) -> dict[str, str]:
    """Return the elements of an attribute that is a map of strings."""
    found = contents.get(name)
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def entries_of(contents: Contents, name: str) -> list[Entry]:
    """Return the elements of an attribute that is a list of objects."""
    found = contents.get(name)
    if not isinstance(found, list):
        return []
    return [dict(entry) for entry in found if isinstance(entry, dict)]
