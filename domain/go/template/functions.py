"""The functions of templates.

Sources: text/template ("Functions"); docker/cli, templates/templates.go, for those from ``json``
on. ``and`` and ``or`` are not here, because they evaluate only the arguments that they need.
"""

from collections.abc import Callable, Mapping
from typing import Any

from img.domain.go.template.formatted import formatted
from img.domain.go.template.values import (
    Absent,
    Names,
    TemplateError,
    Value,
    as_json,
    bounded,
    is_true,
    printed,
)

Function = Callable[..., Value]


def _length(value: Value) -> int:
    match value:
        case str():
            return len(_bytes(value))
        case list() | dict():
            return len(value)
        case Absent():
            return 0
        case _:
            raise TemplateError(f"len of {kind_of(value)}")


def _index(value: Value, *keys: Value) -> Value:
    for key in keys:
        match value:
            case list():
                value = value[_position(key, len(value) - 1)]
            case dict() if isinstance(key, str):
                value = value.get(key, "")
            case Absent() if isinstance(key, str):
                value = ""
            case str():
                content = _bytes(value)
                value = content[_position(key, len(content) - 1)]
            case _:
                raise TemplateError(f"cannot index {kind_of(value)} with {kind_of(key)}")
    return value


def _slice(value: Value, *ends: Value) -> Value:
    if not isinstance(value, str | list) or len(ends) > 2:
        raise TemplateError(f"cannot slice {kind_of(value)} with {len(ends)} numbers")
    whole: bytes | list[Value] = _bytes(value) if isinstance(value, str) else value
    first = _position(ends[0], len(whole)) if ends else 0
    last = _position(ends[1], len(whole)) if len(ends) > 1 else len(whole)
    if first > last:
        raise TemplateError(f"invalid slice index: {first} > {last}")
    part = whole[first:last]
    return part.decode("utf-8", "replace") if isinstance(part, bytes) else part


def _bytes(text: str) -> bytes:
    # An image's JSON may hold half a surrogate pair, a command line a byte that is not UTF-8.
    return text.encode("utf-8", "surrogatepass")


def _position(key: Value, most: int) -> int:
    if isinstance(key, bool) or not isinstance(key, int):
        raise TemplateError(f"cannot index with {kind_of(key)}")
    if not 0 <= key <= most:
        raise TemplateError(f"index out of range: {key}")
    return key


def _equal(first: Value, second: Value, *more: Value) -> bool:
    return any(_same(first, each) for each in (second, *more))


def _not_equal(first: Value, second: Value) -> bool:
    return not _same(first, second)


def _same(one: Value, other: Value) -> bool:
    for value in (one, other):
        if isinstance(value, list | dict):
            raise TemplateError(f"{kind_of(value)} cannot be compared")
    if None in (one, other) or Absent in (type(one), type(other)):
        return one is other
    if _sort(one) != _sort(other):
        raise TemplateError(f"{kind_of(one)} and {kind_of(other)} cannot be compared")
    return bool(one == other)


def _ordered(compare: Callable[[Any, Any], bool]) -> Function:
    def compared(one: Value, other: Value) -> bool:
        if _sort(one) != _sort(other) or _sort(one) not in ("number", "text"):
            raise TemplateError(f"{kind_of(one)} and {kind_of(other)} cannot be compared")
        return compare(one, other)

    return compared


def _sort(value: Value) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else "text" if isinstance(value, str) else ""


def _print(*values: Value) -> str:
    """Return the text of fmt.Sprint: a blank separates two values that are not strings."""
    text, before = "", None
    for number, value in enumerate(values):
        apart = number and not isinstance(value, str) and not isinstance(before, str)
        text += (" " if apart else "") + printed(value)
        before = value
        bounded(text)
    return text


def _print_line(*values: Value) -> str:
    return bounded(" ".join(map(printed, values)) + "\n")


def _printf(form: Value, *values: Value) -> str:
    return bounded(formatted(_text(form), values))


def _html(*values: Value) -> str:
    text = _print(*values)
    for char, entity in _ENTITIES.items():
        text = text.replace(char, entity)
    return bounded(text)


_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;", "\0": "\ufffd"}


def _join(values: Value, separator: Value) -> str:
    if isinstance(values, Absent):
        return ""
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise TemplateError(f"join of {kind_of(values)}, not of a list of strings")
    return bounded(_text(separator).join(values))


def _split(text: Value, separator: Value) -> list[Value]:
    if not _text(separator):
        return list(_text(text))
    return list(_text(text).split(_text(separator)))


def _title(text: Value) -> str:
    words = _text(text)
    return "".join(
        char.upper() if number == 0 or words[number - 1].isspace() else char
        for number, char in enumerate(words)
    )


def _pad(text: Value, before: Value, after: Value) -> str:
    if not _text(text):
        return ""
    return bounded(" " * _small(before) + _text(text) + " " * _small(after))


def _truncate(text: Value, length: Value) -> str:
    return _text(text)[: _small(length)]


def _small(number: Value) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= _WIDEST:
        raise TemplateError(f"{printed(number)} is no number from 0 to {_WIDEST}")
    return number


_WIDEST = 4096


def _text(value: Value) -> str:
    if not isinstance(value, str):
        raise TemplateError(f"expected a string, not {kind_of(value)}")
    return value


def kind_of(value: Value) -> str:
    """Return the name of the type of ``value`` for messages."""
    match value:
        case None | Absent():
            return "nothing"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
        case Names():
            return "a map"
        case _:
            return "an object"


FUNCTIONS: Mapping[str, Function] = {
    "and": lambda *values: values,
    "or": lambda *values: values,
    "not": lambda value: not is_true(value),
    "len": _length,
    "index": _index,
    "slice": _slice,
    "eq": _equal,
    "ne": _not_equal,
    "lt": _ordered(lambda one, other: one < other),
    "le": _ordered(lambda one, other: one <= other),
    "gt": _ordered(lambda one, other: one > other),
    "ge": _ordered(lambda one, other: one >= other),
    "print": _print,
    "printf": _printf,
    "println": _print_line,
    "html": _html,
    "json": as_json,
    "split": _split,
    "join": _join,
    "title": _title,
    "lower": lambda text: bounded(_text(text).lower()),
    "upper": lambda text: bounded(_text(text).upper()),
    "pad": _pad,
    "truncate": _truncate,
}
