"""Elements of values by index and by name (hcl/ops.go)."""

from typing import NoReturn

from img.domain.bake.errors import BakeSyntaxError, Span
from img.domain.bake.values.convert import BadConversion, convert
from img.domain.bake.values.types import (
    DYNAMIC,
    NUMBER,
    STRING,
    ListOf,
    MapOf,
    ObjectOf,
    Primitive,
    SetOf,
    TupleOf,
)
from img.domain.bake.values.value import Value

_NO_ELEMENT = "The given key does not identify an element in this collection value"
_BY_NAME = " An object only supports looking up attributes by name, not by numeric index."


def get_index(of: Value, key: Value, span: Span) -> Value:
    """Return ``of[key]``. Raises BakeSyntaxError."""
    if of.is_null:
        raise BakeSyntaxError(
            "Attempt to index null value",
            "This value is null, so it does not have any indices.",
            span,
        )
    if key.is_null:
        _refuse("Can't use a null value as an indexing key.", span)
    match of.type:
        case ListOf() | TupleOf():
            return _element(of, key, span)
        case MapOf() | ObjectOf():
            try:
                name = convert(key, STRING).text
            except BadConversion as error:
                _refuse(f"{_NO_ELEMENT}: {error}.", span)
            if name not in of.fields:
                numeric = isinstance(of.type, ObjectOf) and key.type is NUMBER
                _refuse(f"{_NO_ELEMENT}.{_BY_NAME if numeric else ''}", span)
            return of.fields[name]
        case SetOf():
            _refuse(
                "Elements of a set are identified only by their value and don't have any separate "
                "index or key to select with, so it's only possible to perform operations across "
                "all elements of the set.",
                span,
            )
    _refuse("This value does not have any indices.", span)
    return None


def _element(of: Value, key: Value, span: Span) -> Value:
    try:
        at = convert(key, NUMBER).number
    except BadConversion as error:
        _refuse(f"{_NO_ELEMENT}: {error}.", span)
    if not at.is_whole():
        _refuse(
            f"{_NO_ELEMENT}: indexing a sequence requires a whole number, but the given index "
            f"has a fractional part.",
            span,
        )
    if at.sign < 0:
        _refuse(f"{_NO_ELEMENT}: a negative number is not a valid index for a sequence.", span)
    if at.whole() >= len(of.items):
        _refuse(
            f"{_NO_ELEMENT}: the given index is greater than or equal to the length of the "
            "collection."
            if of.items
            else f"{_NO_ELEMENT}: the collection has no elements.",
            span,
        )
    return of.items[at.whole()]


def get_attribute(of: Value, name: str, span: Span) -> Value:
    """Return ``of.name``. Raises BakeSyntaxError."""
    if of.is_null:
        raise BakeSyntaxError(
            "Attempt to get attribute from null value",
            "This value is null, so it does not have any attributes.",
            span,
        )
    match of.type:
        case ObjectOf():
            if name in of.fields:
                return of.fields[name]
            _unsupported(f'This object does not have an attribute named "{name}".', span)
        case MapOf():
            if name in of.fields:
                return of.fields[name]
            raise BakeSyntaxError(
                "Missing map element",
                f'This map does not have an element with the key "{name}".',
                span,
            )
        case Primitive() if of.type is not DYNAMIC:
            _unsupported(
                f"Can't access attributes on a primitive-typed value ({of.type.friendly}).", span
            )
        case ListOf() | SetOf() if isinstance(of.type.element, ObjectOf):
            kind = of.type.kind
            _unsupported(
                f"Can't access attributes on a {kind} of objects. Did you mean to access "
                f"{'an attribute' if kind == 'list' else f'attribute {name!r}'} for a specific "
                f"element of the {kind}, or across all elements of the {kind}?",
                span,
            )
    _unsupported("This value does not have any attributes.", span)
    return None


def _refuse(detail: str, span: Span) -> NoReturn:
    raise BakeSyntaxError("Invalid index", detail, span)


def _unsupported(detail: str, span: Span) -> NoReturn:
    raise BakeSyntaxError("Unsupported attribute", detail, span)
