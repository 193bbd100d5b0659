"""Conversion of values to other types (go-cty, cty/convert)."""

from collections.abc import Sequence

from img.domain.bake.values.numbers import BadNumber, Number
from img.domain.bake.values.types import (
    BOOL,
    DYNAMIC,
    NUMBER,
    STRING,
    Collection,
    ListOf,
    MapOf,
    ObjectOf,
    Primitive,
    SetOf,
    TupleOf,
    Type,
)
from img.domain.bake.values.value import (
    FALSE,
    TRUE,
    Value,
    list_of,
    map_of,
    null,
    object_of,
    set_of,
    string,
    tuple_of,
)


class BadConversion(ValueError):
    """A value that has no form in the wanted type."""


def convert(value: Value, wanted: Type) -> Value:
    """Return ``value`` as one of type ``wanted``. Raises BadConversion."""
    if wanted is DYNAMIC or value.type == wanted:
        return value
    if value.is_null:
        if not _possible(value.type, wanted):
            raise BadConversion(mismatch(value.type, wanted))
        return null(wanted)
    match wanted:
        case Primitive():
            return _primitive(value, wanted)
        case ListOf() | SetOf():
            return _sequence(value, wanted)
        case MapOf():
            return _map(value, wanted)
        case TupleOf():
            return _tuple(value, wanted)
        case ObjectOf():
            return _object(value, wanted)
    raise BadConversion(mismatch(value.type, wanted))


def to_text(value: Value) -> str:
    """Return a primitive value as text. Raises BadConversion."""
    return convert(value, STRING).text


def mismatch(have: Type, wanted: Type) -> str:
    """Return the sentence for a type that does not fit (cty/convert/mismatch_msg.go)."""
    match have, wanted:
        case ObjectOf(), ObjectOf():
            return _object_mismatch(have, wanted)
        case ((TupleOf() | ObjectOf()), Collection()):
            return _collection_mismatch(have, wanted)
        case Collection(), Collection():
            if isinstance(have, MapOf) is not isinstance(wanted, MapOf):
                return f"{wanted.friendly} required"
            inner = mismatch(have.element, wanted.element)
            return f"incorrect {wanted.kind} element type: {inner}"
    return f"{wanted.friendly} required, but have {have.friendly}"


def _object_mismatch(have: ObjectOf, wanted: ObjectOf) -> str:
    missing = [f'"{name}"' for name in sorted(wanted.attributes) if name not in have.attributes]
    if len(missing) == 1:
        return f"attribute {missing[0]} is required"
    if missing:
        return f"attributes {', '.join(missing[:-1])} and {missing[-1]} are required"
    for name, of in sorted(wanted.attributes.items()):
        if not _possible(have.attributes[name], of):
            return f'attribute "{name}": {mismatch(have.attributes[name], of)}'
    return f"{wanted.friendly} required"


def _collection_mismatch(have: TupleOf | ObjectOf, wanted: Collection) -> str:
    if isinstance(have, ObjectOf) is not isinstance(wanted, MapOf):
        return f"{wanted.friendly} required"
    if wanted.element is DYNAMIC:
        return f"all {wanted.kind} elements must have the same type"
    parts: list[tuple[str, Type]]
    if isinstance(have, ObjectOf):
        parts = [(f'"{name}"', of) for name, of in sorted(have.attributes.items())]
    else:
        parts = [(str(at), of) for at, of in enumerate(have.elements)]
    for name, of in parts:
        if not _possible(of, wanted.element):
            return f"element {name}: {mismatch(of, wanted.element)}"
    return f"{wanted.friendly} required"


def _possible(have: Type, wanted: Type) -> bool:
    """Tell whether there is a conversion at all; single values may fail it."""
    if wanted is DYNAMIC or have is DYNAMIC or have == wanted:
        return True
    match have, wanted:
        case Primitive(), Primitive():
            return have is STRING or wanted is STRING
        case ((ListOf() | SetOf()), (ListOf() | SetOf())):
            return _possible(have.element, wanted.element)
        case MapOf(), MapOf():
            return _possible(have.element, wanted.element)
        case MapOf(), ObjectOf():
            return all(_possible(have.element, of) for of in wanted.attributes.values())
        case TupleOf(), (ListOf() | SetOf()):
            return all(_possible(one, wanted.element) for one in have.elements)
        case ObjectOf(), MapOf():
            return all(_possible(one, wanted.element) for one in have.attributes.values())
        case TupleOf(), TupleOf():
            return len(have.elements) == len(wanted.elements) and all(
                map(_possible, have.elements, wanted.elements)
            )
        case ObjectOf(), ObjectOf():
            return all(
                name in have.attributes and _possible(have.attributes[name], of)
                for name, of in wanted.attributes.items()
            )
    return False


def _primitive(value: Value, wanted: Primitive) -> Value:
    raw = value.raw
    if wanted is STRING and isinstance(raw, bool):
        return string("true" if raw else "false")
    if wanted is STRING and isinstance(raw, Number):
        try:
            return string(str(raw))
        except BadNumber as error:
            raise BadConversion(str(error)) from None
    if wanted is NUMBER and isinstance(raw, str):
        try:
            return Value(NUMBER, Number.parse(raw))
        except BadNumber:
            raise BadConversion("a number is required") from None
    if wanted is BOOL and isinstance(raw, str):
        if raw in ("true", "1"):
            return TRUE
        if raw in ("false", "0"):
            return FALSE
        raise BadConversion("a bool is required")
    raise BadConversion(mismatch(value.type, wanted))


def _sequence(value: Value, wanted: Collection) -> Value:
    if not isinstance(value.type, ListOf | SetOf | TupleOf):
        raise BadConversion(mismatch(value.type, wanted))
    items = list(value.items)
    element = wanted.element
    if element is DYNAMIC:
        common = unify([item.type for item in items]) if isinstance(value.type, TupleOf) else None
        if isinstance(value.type, Collection):
            common = value.type.element
        if common is None and items:
            raise BadConversion(mismatch(value.type, wanted))
        element = common or DYNAMIC
    if isinstance(value.type, TupleOf) and not _possible(value.type, type(wanted)(element)):
        raise BadConversion(mismatch(value.type, wanted))
    made = [_part(item, element) for item in items]
    return set_of(element, made) if isinstance(wanted, SetOf) else list_of(element, made)


def _map(value: Value, wanted: MapOf) -> Value:
    if not isinstance(value.type, MapOf | ObjectOf) or not _possible(value.type, wanted):
        raise BadConversion(mismatch(value.type, wanted))
    element = wanted.element
    if element is DYNAMIC:
        common = unify([item.type for item in value.items])
        if common is None and value.items:
            raise BadConversion(mismatch(value.type, wanted))
        element = common or DYNAMIC
    return map_of(element, {key: _part(item, element) for key, item in value.fields.items()})


def _tuple(value: Value, wanted: TupleOf) -> Value:
    if not isinstance(value.type, TupleOf) or not _possible(value.type, wanted):
        raise BadConversion(mismatch(value.type, wanted))
    return tuple_of(map(_part, value.items, wanted.elements))


def _object(value: Value, wanted: ObjectOf) -> Value:
    if not isinstance(value.type, MapOf | ObjectOf):
        raise BadConversion(mismatch(value.type, wanted))
    if isinstance(value.type, ObjectOf) and not _possible(value.type, wanted):
        raise BadConversion(mismatch(value.type, wanted))
    made = {}
    for name, of in wanted.attributes.items():
        if name not in value.fields:
            raise BadConversion(f'map has no element for required attribute "{name}"')
        made[name] = _part(value.fields[name], of)
    return object_of(made)


def _part(value: Value, wanted: Type) -> Value:
    return convert(value, wanted)


def unify(types: Sequence[Type]) -> Type | None:
    """Return the type that all ``types`` convert to, None where there is none."""
    if not types:
        return None
    known = [of for of in types if of is not DYNAMIC]
    if not known:
        return DYNAMIC
    first = known[0]
    if all(of == first for of in known):
        return first
    if all(isinstance(of, Primitive) for of in known):
        return STRING if STRING in known else None
    if all(isinstance(of, ObjectOf) for of in known):
        return _unify_objects([of for of in known if isinstance(of, ObjectOf)])
    if all(isinstance(of, TupleOf) for of in known):
        return _unify_tuples([of for of in known if isinstance(of, TupleOf)])
    return _unify_collections(known)


def _unify_objects(types: Sequence[ObjectOf]) -> Type | None:
    names = set(types[0].attributes)
    if all(set(of.attributes) == names for of in types):
        parts = {name: unify([of.attributes[name] for of in types]) for name in sorted(names)}
        found = {name: of for name, of in parts.items() if of is not None}
        if len(found) == len(parts):
            return ObjectOf(found)
        return None
    element = unify([part for of in types for part in of.attributes.values()])
    return None if element is None else MapOf(element)


def _unify_tuples(types: Sequence[TupleOf]) -> Type | None:
    if len({len(of.elements) for of in types}) == 1:
        parts = [unify(list(column)) for column in zip(*(of.elements for of in types), strict=True)]
        found = [of for of in parts if of is not None]
        return TupleOf(tuple(found)) if len(found) == len(parts) else None
    element = unify([part for of in types for part in of.elements])
    return None if element is None else ListOf(element)


def _unify_collections(types: Sequence[Type]) -> Type | None:
    parts: list[Type] = []
    for of in types:
        match of:
            case Collection():
                parts.append(of.element)
            case TupleOf():
                parts.extend(of.elements)
            case ObjectOf():
                parts.extend(of.attributes.values())
            case _:
                return None
    mapped = [isinstance(of, MapOf | ObjectOf) for of in types]
    element = unify(parts) or DYNAMIC
    if unify(parts) is None and parts:
        return None
    if all(mapped):
        return MapOf(element)
    if any(mapped):
        return None
    if any(isinstance(of, ListOf) for of in types):
        return ListOf(element)
    return SetOf(element)
