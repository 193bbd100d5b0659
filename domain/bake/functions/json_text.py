"""JSON to values and back (cty/json)."""

import json

from img.domain.bake.errors import BakeSyntaxError, SourceText
from img.domain.bake.language.expressions import Expression, Literal
from img.domain.bake.language.json_values import (
    JsonArray,
    JsonObject,
    JsonText,
    parse_json_value,
)
from img.domain.bake.values.numbers import BadNumber, Number
from img.domain.bake.values.value import Value, object_of, string, tuple_of


class BadJson(ValueError):
    """Text that is no JSON, or a value that has no JSON."""


def decode_json(text: str) -> Value:
    """Return the value that ``text`` is. Raises BadJson."""
    try:
        return _plain(parse_json_value(SourceText("", text)))
    except BakeSyntaxError as error:
        line, column = error.span.source.position(error.span.start)
        detail = error.detail.removesuffix(".")
        raise BadJson(f"invalid JSON at line {line}, column {column}: {detail}") from None


def _plain(value: Expression) -> Value:
    match value:
        case JsonText():
            return string(value.text)
        case JsonArray():
            return tuple_of([_plain(item) for item in value.items])
        case JsonObject():
            return object_of({name.text: _plain(item) for name, item in value.members})
        case Literal():
            return value.constant
    raise AssertionError(value)


def encode_json(value: Value) -> str:
    """Return a value as Go writes it. Raises BadJson."""
    match value.raw:
        case None:
            return "null"
        case bool():
            return "true" if value.raw else "false"
        case Number():
            return _number(value.raw)
        case str():
            return encode_string(value.raw)
        case tuple():
            return f"[{','.join(map(encode_json, value.raw))}]"
        case _:
            names = sorted(value.fields)
            inside = (f"{encode_string(name)}:{encode_json(value.fields[name])}" for name in names)
            return "{" + ",".join(inside) + "}"


def _number(number: Number) -> str:
    if number.infinite:
        raise BadJson("cannot serialize infinity as JSON")
    try:
        return str(number)
    except BadNumber as error:
        raise BadJson(str(error)) from None


def encode_string(text: str) -> str:
    """Return a JSON string as Go's encoder writes it: safe inside of HTML."""
    made = json.dumps(text, ensure_ascii=False)
    for char in "<>&\u2028\u2029\x7f":
        if char in made and char != "\x7f":
            made = made.replace(char, f"\\u{ord(char):04x}")
    return made
