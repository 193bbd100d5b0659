"""Functions of sets (cty/function/stdlib/set.go, collection.go)."""

from collections.abc import Callable
from itertools import product

from img.domain.bake.functions.signature import function
from img.domain.bake.language.scope import FunctionFault
from img.domain.bake.values.convert import convert, unify
from img.domain.bake.values.types import (
    DYNAMIC,
    Collection,
    ListOf,
    SetOf,
    TupleOf,
    Type,
)
from img.domain.bake.values.value import Value, boolean, list_of, set_of, tuple_of

_MOST_COMBINATIONS = 100_000
Operation = Callable[[dict[Value, None], dict[Value, None]], dict[Value, None]]


def _combine(operation: Operation, *sets: Value) -> Value:
    # The type of what holds nothing says nothing, so it does not count.
    types = [_element(value) for value in sets if value.items] or [DYNAMIC]
    common = unify(types)
    if common is None:
        raise FunctionFault("given sets must all have compatible element types")
    parts = [dict.fromkeys(convert(item, common) for item in value.items) for value in sets]
    made = parts[0]
    for part in parts[1:]:
        made = operation(made, part)
    return set_of(common, made)


def _element(value: Value) -> Type:
    assert isinstance(value.type, Collection)
    return value.type.element


def _only(keep: bool, ones: dict[Value, None], others: dict[Value, None]) -> dict[Value, None]:
    return {item: None for item in ones if (item in others) is keep}


def _difference(ones: dict[Value, None], others: dict[Value, None]) -> dict[Value, None]:
    return _only(False, ones, others) | _only(False, others, ones)


def _setproduct(*sets: Value) -> Value:
    if len(sets) < 2:
        raise FunctionFault("at least two arguments are required")
    columns: list[list[Value]] = []
    elements: list[Type] = []
    combinations = 1
    for at, value in enumerate(sets):
        if not isinstance(value.type, ListOf | SetOf | TupleOf):
            raise FunctionFault("a set or a list is required", at)
        common = unify([item.type for item in value.items])
        if isinstance(value.type, Collection):
            common = value.type.element
        if common is None and value.items:
            raise FunctionFault("all elements must be of the same type", at)
        elements.append(common or DYNAMIC)
        columns.append([convert(item, common or DYNAMIC) for item in value.items])
        combinations *= len(value.items)
        if combinations > _MOST_COMBINATIONS:
            raise FunctionFault(f"there are more than {_MOST_COMBINATIONS} combinations")
    rows = [tuple_of(row) for row in product(*columns)]
    element = TupleOf(tuple(elements))
    if all(isinstance(value.type, SetOf) for value in sets):
        return set_of(element, rows)
    return list_of(element, rows)


SETS = {
    "sethaselement": function("set:set elem:a", lambda of, elem: boolean(elem in of.items)),
    "setintersection": function(
        "first_set:set other_sets:set...",
        lambda *sets: _combine(lambda a, b: _only(True, a, b), *sets),
    ),
    "setproduct": function("sets:a...", _setproduct),
    "setsubtract": function(
        "a:set b:set",
        lambda *sets: _combine(lambda a, b: _only(False, a, b), *sets),
    ),
    "setsymmetricdifference": function(
        "first_set:set other_sets:set...", lambda *sets: _combine(_difference, *sets)
    ),
    "setunion": function(
        "first_set:set other_sets:set...", lambda *sets: _combine(lambda a, b: a | b, *sets)
    ),
}
