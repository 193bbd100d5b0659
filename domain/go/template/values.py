"""Values of templates, and Go's text for them.

A value is a string, a number, a boolean, None, a list of values, or a dict of values by name. A
plain dict is a structure: an unknown name is an error. A ``Names`` is a map.
"""

import json
from collections.abc import Mapping
from typing import Any

from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.shown_text import shown_json

Value = Any  # of the types above

MOST_CHARACTERS = 1 << 26  # characters of one text, and of the whole result


class TemplateError(UsageError):
    """A template with an error, or one that does not fit its value."""

    def __init__(self, reason: str, *, hint: str | None = None) -> None:
        super().__init__(f"invalid --format template: {reason}", hint=hint)
        self.reason = reason


class Names(dict[str, Value]):
    """A map with arbitrary names. An absent name is no error."""


class Structure(dict[str, Value]):
    """A structure with fields that JSON omits when they are empty (Go's omitempty)."""

    def __init__(self, fields: Mapping[str, Value], left_out: Mapping[str, Value]) -> None:
        super().__init__(fields)
        self.left_out = {name: each for name, each in left_out.items() if name not in fields}


@dataclass(frozen=True, slots=True)
class Absent:
    """An absent list or map: null in JSON, otherwise empty."""

    printed: str


NO_LIST = Absent("[]")
NO_NAMES = Absent("map[]")
NO_VALUE = Absent("<no value>")


def is_true(value: Value) -> bool:
    """Return the truth value of ``value`` in ``if`` (text/template, IsTrue)."""
    if isinstance(value, Absent):
        return False
    if isinstance(value, dict) and not isinstance(value, Names):
        return True
    return bool(value)


def printed(value: Value) -> str:
    """Return the text of ``value`` in Go's format %v."""
    match value:
        case str():
            return value
        case None:
            return "<nil>"
        case bool():
            return str(value).lower()
        case Absent():
            return value.printed
        case list() | tuple():
            return bounded(f"[{' '.join(map(printed, value))}]")
        case Names():
            pairs = (f"{name}:{printed(value[name])}" for name in sorted(value))
            return bounded(f"map[{' '.join(pairs)}]")
        case dict():
            return bounded(f"{{{' '.join(map(printed, value.values()))}}}")
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def as_json(value: Value) -> str:
    """Return ``value`` as one line of JSON in Go's form, with unprintable characters escaped."""
    text = json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"))
    return bounded(shown_json(text))


def plain(value: Value) -> Value:
    """Return ``value`` in the form for ``json``: maps sorted, null for absent values."""
    match value:
        case Absent():
            return None
        case list() | tuple():
            return [plain(each) for each in value]
        case Names():
            return {name: plain(value[name]) for name in sorted(value)}
        case dict():
            return {name: plain(each) for name, each in value.items()}
        case _:
            return value


def bounded(text: str) -> str:
    """Return ``text``. Raises TemplateError if it is too long."""
    if len(text) > MOST_CHARACTERS:
        raise TemplateError(f"it makes more than {MOST_CHARACTERS} characters")
    return text
