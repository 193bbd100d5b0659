"""Values of variables that come from outside (bake/hclparser/hclparser.go)."""

import re

from img.domain.bake.functions.json_text import BadJson, decode_json
from img.domain.bake.values.convert import BadConversion, convert
from img.domain.bake.values.numbers import BadNumber, Number
from img.domain.bake.values.types import (
    BOOL,
    DYNAMIC,
    NUMBER,
    STRING,
    Collection,
    ListOf,
    MapOf,
    Primitive,
    TupleOf,
    Type,
)
from img.domain.bake.values.value import Value, boolean, map_of, number, string, tuple_of
from img.domain.go.booleans import parse_boolean
from img.domain.go.csv_fields import BadCsv, split_csv

_FLOAT = re.compile(
    r"(?a)[+-]?(?:\d+(?:_\d+)*(?:\.(?:\d+(?:_\d+)*)?)?|\.\d+(?:_\d+)*)(?:[eE][+-]?\d+)?"
)
_NO_NUMBER = re.compile(r"(?ai)[+-]?(?:nan|inf|infinity)")


class BadVariable(ValueError):
    """A value from outside that does not fit its variable."""


def parse_bool(text: str) -> bool:
    """Return the boolean that ``text`` spells. Raises BadVariable with Go's message."""
    boolean = parse_boolean(text)
    if boolean is None:
        raise BadVariable(f'strconv.ParseBool: parsing "{text}": invalid syntax')
    return boolean


def plain_variable(name: str, text: str, default: Value) -> Value:
    """Return the value of a variable without a type: the default's type decides.

    Raises BadVariable.
    """
    if default.type in (STRING, DYNAMIC):
        return string(text)
    if isinstance(default.type, Primitive):
        return _primitive(name, text, default.type)
    raise BadVariable(f"unsupported type {default.type.friendly} for variable {name}")


def typed_variable(name: str, text: str, wanted: Type) -> Value:
    """Return the value of a variable of type ``wanted``. Raises BadVariable."""
    if wanted is DYNAMIC:
        raise BadVariable(f"unsupported type dynamic for variable {name}")
    if isinstance(wanted, Primitive):
        return _primitive(name, text, wanted)
    if not isinstance(wanted, Collection | TupleOf):
        raise BadVariable(f"unsupported type {wanted.friendly} for variable {name}")
    try:
        return _separated(name, text, wanted)
    except BadVariable as error:
        raise BadVariable(f"failed to convert variable {name} from CSV: {error}") from None


def json_variable(name: str, text: str, wanted: Type) -> Value:
    """Return the value of a variable given as JSON. Raises BadVariable."""
    try:
        return convert(decode_json(text), wanted)
    except (BadJson, BadConversion) as error:
        raise BadVariable(f"failed to convert variable {name} from JSON: {error}") from None


def _primitive(name: str, text: str, wanted: Type) -> Value:
    if wanted is NUMBER:
        return _number(name, text)
    if wanted is BOOL:
        try:
            return boolean(parse_bool(text))
        except BadVariable as error:
            raise BadVariable(f"failed to parse {name} as bool: {error}") from None
    return string(text)


def _number(name: str, text: str) -> Value:
    if _NO_NUMBER.fullmatch(text):
        raise BadVariable(f"failed to parse {name} as number: invalid number value")
    if not _FLOAT.fullmatch(text):
        raise BadVariable(
            f"failed to parse {name} as number: strconv.ParseFloat: parsing "
            f'"{text}": invalid syntax'
        )
    try:
        value = Number.of_float(float(text))
        if value.infinite:
            raise BadNumber(text)
    except (BadNumber, ValueError):
        raise BadVariable(
            f"failed to parse {name} as number: strconv.ParseFloat: parsing "
            f'"{text}": value out of range'
        ) from None
    return number(value)


def _separated(name: str, text: str, wanted: Collection | TupleOf) -> Value:
    elements = (wanted.element,) if isinstance(wanted, Collection) else wanted.elements
    if not all(isinstance(of, Primitive) and of is not DYNAMIC for of in elements):
        raise BadVariable(f"unsupported type {wanted.friendly} for CSV specification")
    if not text:
        raise BadVariable(f"failed to parse {text} as CSV: EOF")
    try:
        fields = split_csv(text)
    except BadCsv as error:
        raise BadVariable(f"failed to parse {text} as CSV: {error}") from None
    if isinstance(wanted, MapOf):
        return _pairs(name, fields, wanted)
    try:
        if isinstance(wanted, TupleOf):
            if len(fields) != len(wanted.elements):
                raise BadVariable(
                    f"element count mismatch: expected {len(wanted.elements)} but got {len(fields)}"
                )
            parts = map(_primitive, (name,) * len(fields), fields, wanted.elements)
            return tuple_of(parts)
        items = tuple(_primitive(name, field, wanted.element) for field in fields)
    except BadVariable as error:
        raise BadVariable(f"failed to parse element of type {wanted.friendly}: {error}") from None
    return convert(Value(ListOf(wanted.element), items), wanted)


def _pairs(name: str, fields: tuple[str, ...], wanted: MapOf) -> Value:
    made = {}
    for field in fields:
        try:
            pieces = split_csv_pair(field)
        except BadCsv as error:
            raise BadVariable(f"failed to parse {field} as CSV: {error}") from None
        if len(pieces) != 2:
            raise BadVariable(f"expected one k/v pair but got {len(pieces)} pieces from {field}")
        try:
            made[pieces[0]] = _primitive(name, pieces[1], wanted.element)
        except BadVariable as error:
            raise BadVariable(
                f"failed to parse element from type {wanted.friendly}: {error}"
            ) from None
    return map_of(wanted.element, made)


def split_csv_pair(field: str) -> tuple[str, ...]:
    """Return the parts of ``key:value``; quotes protect a colon. Raises BadCsv."""
    # The same rules with another separator: the two change places.
    swapped = str.maketrans(",:", ":,")
    return tuple(part.translate(swapped) for part in split_csv(field.translate(swapped)))
