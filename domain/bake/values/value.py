"""Values with their types (go-cty, cty/value.go)."""

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final

from img.domain.bake.errors import BakeError
from img.domain.bake.values.numbers import Number
from img.domain.bake.values.types import (
    BOOL,
    DYNAMIC,
    NUMBER,
    STRING,
    ListOf,
    MapOf,
    ObjectOf,
    SetOf,
    TupleOf,
    Type,
)

_MOST_PARTS = 300_000

Raw = str | bool | Number | tuple["Value", ...] | Mapping[str, "Value"] | None


class Value:
    """A value: ``raw`` is None for null, a tuple for lists, sets and tuples, else a mapping."""

    __slots__ = ("raw", "size", "type")

    def __init__(self, of: Type, raw: Raw) -> None:
        self.type = of
        self.raw = raw
        self.size = 1  # all parts that a walk through this value meets
        if isinstance(raw, tuple):
            self.size += sum([item.size for item in raw])
        elif isinstance(raw, Mapping):
            self.size += sum([item.size for item in raw.values()])
        if self.size > _MOST_PARTS:
            raise BakeError(f"a value has more than {_MOST_PARTS} parts")

    @property
    def is_null(self) -> bool:
        return self.raw is None

    @property
    def text(self) -> str:
        """The string that this value is."""
        assert isinstance(self.raw, str)
        return self.raw

    @property
    def number(self) -> Number:
        """The number that this value is."""
        assert isinstance(self.raw, Number)
        return self.raw

    @property
    def truth(self) -> bool:
        """The truth value that this value is."""
        assert isinstance(self.raw, bool)
        return self.raw

    @property
    def items(self) -> tuple["Value", ...]:
        """The elements of a list, set or tuple; of a map or an object by their keys."""
        if isinstance(self.raw, tuple):
            return self.raw
        return tuple(self.fields[key] for key in sorted(self.fields))

    @property
    def fields(self) -> Mapping[str, "Value"]:
        """The elements of a map or an object by their names."""
        assert isinstance(self.raw, Mapping)
        return self.raw

    def pairs(self) -> Iterable[tuple["Value", "Value"]]:
        """Return keys and elements in the order of a ``for``."""
        if isinstance(self.raw, Mapping):
            return [(Value(STRING, key), self.raw[key]) for key in sorted(self.raw)]
        if isinstance(self.type, SetOf):
            return [(item, item) for item in self.items]
        return [(number(at), item) for at, item in enumerate(self.items)]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Value) and self.type == other.type and self.raw == other.raw

    def __hash__(self) -> int:
        raw = self.raw
        return hash(tuple(sorted(raw.items())) if isinstance(raw, Mapping) else raw)

    def __repr__(self) -> str:
        return f"Value({self.type.constraint}, {self.raw!r})"


NULL: Final = Value(DYNAMIC, None)
TRUE: Final = Value(BOOL, True)
FALSE: Final = Value(BOOL, False)


def string(text: str) -> Value:
    """Return a string, in Unicode's composed form, as go-cty keeps it."""
    return Value(STRING, text if text.isascii() else unicodedata.normalize("NFC", text))


def number(value: int | Number) -> Value:
    """Return a number."""
    return Value(NUMBER, Number(value, precision=64) if isinstance(value, int) else value)


def boolean(value: bool) -> Value:
    """Return a truth value."""
    return TRUE if value else FALSE


def null(of: Type) -> Value:
    """Return the null value of a type."""
    return Value(of, None)


def tuple_of(items: Iterable[Value]) -> Value:
    """Return a tuple."""
    items = tuple(items)
    return Value(TupleOf(tuple(item.type for item in items)), items)


def object_of(fields: Mapping[str, Value]) -> Value:
    """Return an object."""
    return Value(ObjectOf({name: item.type for name, item in fields.items()}), fields)


def list_of(element: Type, items: Iterable[Value]) -> Value:
    """Return a list; ``element`` is the type of an empty one."""
    items = tuple(items)
    return Value(ListOf(items[0].type if items else element), items)


def map_of(element: Type, fields: Mapping[str, Value]) -> Value:
    """Return a map; ``element`` is the type of an empty one."""
    found = next(iter(fields.values()), None)
    return Value(MapOf(found.type if found is not None else element), fields)


def set_of(element: Type, items: Iterable[Value]) -> Value:
    """Return a set, in the order of its elements."""
    unique = list(dict.fromkeys(items))
    return Value(SetOf(unique[0].type if unique else element), tuple(sorted(unique, key=_order)))


def _order(item: Value) -> tuple[object, ...]:
    # Strings, numbers and truth values by themselves, all else by its parts (cty set_internals).
    match item.raw:
        case None:
            return (1, "")
        case str() | bool() | Number():
            return (0, item.raw)
        case _:
            return (0, json_order(item))


def json_order(item: Value) -> str:
    """Return a text that orders collections: equal for equal ones only."""
    match item.raw:
        case None:
            return "null"
        case bool():
            return str(item.raw).lower()
        case Number():
            return str(item.raw)
        case str():
            return f'"{item.raw}"'
        case tuple():
            return f"[{','.join(map(json_order, item.raw))}]"
        case _:
            return (
                "{"
                + ",".join(f"{k}:{json_order(item.fields[k])}" for k in sorted(item.fields))
                + "}"
            )
