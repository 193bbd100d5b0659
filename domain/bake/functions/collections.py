"""Functions of lists, maps and tuples (cty/function/stdlib/collection.go, sequence.go)."""

from collections.abc import Iterator, Sequence

from img.domain.bake.functions.signature import function, integer
from img.domain.bake.language.operators import equal
from img.domain.bake.language.scope import FunctionFault
from img.domain.bake.values.convert import BadConversion, convert, unify
from img.domain.bake.values.types import (
    DYNAMIC,
    NUMBER,
    STRING,
    ListOf,
    MapOf,
    ObjectOf,
    SetOf,
    TupleOf,
)
from img.domain.bake.values.value import (
    Value,
    boolean,
    list_of,
    map_of,
    number,
    object_of,
    string,
    tuple_of,
)

_MAPS = MapOf | ObjectOf
_SEQUENCES = ListOf | TupleOf
_NO_COLLECTION = "collection must be a list, a map or a tuple"


def _chunklist(of: Value, size: Value) -> Value:
    length = integer(size.number)
    if length < 0:
        raise FunctionFault("the size argument must be positive")
    items = of.items
    step = length or max(1, len(items))
    chunks = [list_of(DYNAMIC, items[at : at + step]) for at in range(0, len(items), step)]
    return list_of(ListOf(of.type.element if isinstance(of.type, ListOf) else DYNAMIC), chunks)


def _coalesce(*values: Value) -> Value:
    common = unify([value.type for value in values])
    if common is None:
        raise FunctionFault("all arguments must have the same type")
    for value in values:
        if not value.is_null:
            return convert(value, common)
    raise FunctionFault("no non-null arguments")


def _coalescelist(*values: Value) -> Value:
    if not values:
        raise FunctionFault("at least one argument is required")
    for value in values:
        if not isinstance(value.type, _SEQUENCES):
            raise FunctionFault("coalescelist arguments must be lists or tuples")
    for value in values:
        if not value.is_null and value.items:
            return value
    raise FunctionFault("no non-null arguments")


def _compact(of: Value) -> Value:
    return list_of(STRING, [item for item in of.items if item.raw])


def _concat(*seqs: Value) -> Value:
    for at, value in enumerate(seqs):
        if not isinstance(value.type, _SEQUENCES):
            raise FunctionFault(
                f"all arguments must be lists or tuples; got {value.type.friendly}", at
            )
    if not seqs:
        raise FunctionFault("at least one argument is required")
    items = [item for value in seqs for item in value.items]
    elements = [value.type.element for value in seqs if isinstance(value.type, ListOf)]
    if len(elements) == len(seqs) and (common := unify(elements)) is not None:
        return list_of(common, [convert(item, common) for item in items])
    return tuple_of(items)


def _contains(of: Value, value: Value) -> Value:
    if not isinstance(of.type, ListOf | SetOf | TupleOf):
        raise FunctionFault("argument must be list, tuple, or set")
    return boolean(any(equal(item, value) for item in of.items))


def _distinct(of: Value) -> Value:
    element = of.type.element if isinstance(of.type, ListOf) else DYNAMIC
    return list_of(element, dict.fromkeys(of.items))


def _element(of: Value, index: Value) -> Value:
    if not isinstance(of.type, _SEQUENCES):
        raise FunctionFault(f"cannot read elements from {of.type.friendly}")
    try:
        at = integer(index.number)
    except FunctionFault as fault:
        raise FunctionFault(f"invalid index: {fault.message}") from None
    if not of.items:
        raise FunctionFault("cannot use element function with an empty list")
    return of.items[at % len(of.items)]


def _flatten(of: Value) -> Value:
    if not isinstance(of.type, ListOf | SetOf | TupleOf):
        raise FunctionFault("can only flatten lists, sets and tuples")

    def flat(value: Value) -> Iterator[Value]:
        for item in value.items:
            if isinstance(item.type, ListOf | SetOf | TupleOf) and not item.is_null:
                yield from flat(item)
            else:
                yield item

    return tuple_of(flat(of))


def _hasindex(collection: Value, key: Value) -> Value:
    if not isinstance(collection.type, MapOf | _SEQUENCES):
        raise FunctionFault(_NO_COLLECTION)
    if isinstance(collection.type, MapOf):
        return boolean(key.type is STRING and key.text in collection.fields)
    if key.type is not NUMBER or not key.number.is_whole():
        return boolean(value=False)
    return boolean(0 <= key.number.whole() < len(collection.items))


def _index(collection: Value, key: Value) -> Value:
    if not isinstance(collection.type, MapOf | _SEQUENCES):
        raise FunctionFault(_NO_COLLECTION)
    try:
        converted = convert(key, STRING if isinstance(collection.type, MapOf) else NUMBER)
    except BadConversion as error:
        raise FunctionFault(f"invalid index: {error}") from None
    if not _hasindex(collection, converted).truth:
        raise FunctionFault("invalid index")
    if isinstance(collection.type, MapOf):
        return collection.fields[converted.text]
    return collection.items[converted.number.whole()]


def _indexof(of: Value, value: Value) -> Value:
    if not isinstance(of.type, _SEQUENCES):
        raise FunctionFault("argument must be a list or tuple")
    if not of.items:
        raise FunctionFault("cannot search an empty list")
    for at, item in enumerate(of.items):
        if equal(item, value):
            return number(at)
    raise FunctionFault("item not found")


def _keys(of: Value) -> Value:
    if not isinstance(of.type, _MAPS):
        raise FunctionFault("keys() requires a map as the first argument", 0)
    names = [string(name) for name in sorted(of.fields)]
    return list_of(STRING, names) if isinstance(of.type, MapOf) else tuple_of(names)


def _values(of: Value) -> Value:
    if isinstance(of.type, MapOf):
        return list_of(of.type.element, of.items)
    if not isinstance(of.type, ObjectOf):
        raise FunctionFault("values() requires a map as the first argument")
    return tuple_of(of.items)


def _length(of: Value) -> Value:
    if not isinstance(of.type, ListOf | SetOf | TupleOf | MapOf):
        raise FunctionFault(_NO_COLLECTION)
    return number(len(of.items))


def _lookup(of: Value, key: Value, default: Value) -> Value:
    if not isinstance(of.type, _MAPS):
        raise FunctionFault("lookup() requires a map as the first argument", 0)
    if key.text in of.fields:
        return of.fields[key.text]
    if isinstance(of.type, MapOf):
        try:
            return convert(default, of.type.element)
        except BadConversion:
            raise FunctionFault(
                "the default value must have the same type as the map elements", 2
            ) from None
    return default


def _merge(*maps: Value) -> Value:
    for value in maps:
        if not value.is_null and not isinstance(value.type, _MAPS):
            raise FunctionFault(f'arguments must be maps or objects, got "{value.type.friendly}"')
    merged: dict[str, Value] = {}
    for value in maps:
        if not value.is_null:
            merged.update(value.fields)
    kinds = {value.type for value in maps}
    if len(kinds) == 1 and isinstance(kind := kinds.pop(), MapOf):
        return map_of(kind.element, merged)
    return object_of(merged)


def _reverselist(of: Value) -> Value:
    if isinstance(of.type, ListOf | SetOf):
        return list_of(of.type.element, reversed(of.items))
    if not isinstance(of.type, TupleOf):
        raise FunctionFault(f"can only reverse list or tuple values, not {of.type.friendly}", 0)
    return tuple_of(reversed(of.items))


def _slice(of: Value, start: Value, end: Value) -> Value:
    if not isinstance(of.type, _SEQUENCES):
        raise FunctionFault("must be a list or tuple value", 0)
    first, last = integer(start.number, 1), integer(end.number, 2)
    if first < 0:
        raise FunctionFault("start index must not be less than zero", 1)
    if last > len(of.items):
        raise FunctionFault("end index must not be greater than the length of the list", 2)
    if first > last:
        raise FunctionFault("start index must not be greater than end index", 1)
    items = of.items[first:last]
    return list_of(of.type.element, items) if isinstance(of.type, ListOf) else tuple_of(items)


def _sort(of: Value) -> Value:
    for at, item in enumerate(of.items):
        if item.is_null:
            raise FunctionFault(f"given list element {at} is null; a null string cannot be sorted")
    return list_of(STRING, sorted(of.items, key=lambda item: item.text))


def _zipmap(keys: Value, values: Value) -> Value:
    if not isinstance(values.type, _SEQUENCES):
        raise FunctionFault("values argument must be a list or tuple value", 1)
    names: Sequence[Value] = keys.items
    if len(names) != len(values.items):
        raise FunctionFault(
            f"number of keys ({len(names)}) does not match number of values ({len(values.items)})"
        )
    for item in names:
        if item.is_null:
            raise FunctionFault("keys must not be null", 0)
    made = {name.text: item for name, item in zip(names, values.items, strict=True)}
    return map_of(values.type.element, made) if isinstance(values.type, ListOf) else object_of(made)


COLLECTIONS = {
    "chunklist": function("list:list size:n", _chunklist),
    "coalesce": function("vals:a?...", _coalesce),
    "coalescelist": function("vals:a?...", _coalescelist),
    "compact": function("list:strings", _compact),
    "concat": function("seqs:a...", _concat),
    "contains": function("list:a value:a", _contains),
    "distinct": function("list:list", _distinct),
    "element": function("list:a index:n", _element),
    "flatten": function("list:a", _flatten),
    "hasindex": function("collection:a key:a", _hasindex),
    "index": function("collection:a key:a", _index),
    "indexof": function("list:a value:a", _indexof),
    "keys": function("inputMap:a", _keys),
    "values": function("mapping:a", _values),
    "length": function("collection:a", _length),
    "lookup": function("inputMap:a key:s default:a", _lookup),
    "merge": function("maps:a?...", _merge),
    "reverselist": function("list:a", _reverselist),
    "slice": function("list:a start_index:n end_index:n", _slice),
    "sort": function("list:strings", _sort),
    "zipmap": function("keys:strings values:a", _zipmap),
}
