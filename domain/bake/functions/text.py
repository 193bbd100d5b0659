"""Functions of texts (cty/function/stdlib/string.go, bake/hclparser/stdlib.go)."""

import re

from img.domain.bake.functions.graphemes import graphemes
from img.domain.bake.functions.signature import function, integer
from img.domain.bake.language.scope import FunctionFault
from img.domain.bake.values.types import STRING
from img.domain.bake.values.value import Value, list_of, number, string
from img.domain.go.characters import SPACES
from img.domain.go.file_paths import clean_path

_MOST_TEXT = 4 << 20  # characters of one result


def _upper(text: str) -> str:
    # One character for one, as in Go; Python makes SS of a sharp s.
    return "".join(big if len(big := char.upper()) == 1 else char for char in text)


def _lower(text: str) -> str:
    return "".join(small if len(small := char.lower()) == 1 else char for char in text)


def _title(text: str) -> str:
    made = []
    separated = True
    for char in text:
        made.append(_upper(char) if separated else char)
        separated = not (char.isalnum() or char == "_") and (char.isascii() or char in SPACES)
    return "".join(made)


def _checked(text: str) -> Value:
    if len(text) > _MOST_TEXT:
        raise FunctionFault(f"the result has more than {_MOST_TEXT} characters")
    return string(text)


def _indent(spaces: Value, text: Value) -> Value:
    count = integer(spaces.number)
    if count < 0:
        raise FunctionFault("the number of spaces must not be negative")
    if count * text.text.count("\n") > _MOST_TEXT:
        raise FunctionFault(f"the result has more than {_MOST_TEXT} characters")
    return _checked(text.text.replace("\n", "\n" + " " * count))


def _join(separator: Value, *lists: Value) -> Value:
    items = []
    if not lists:
        raise FunctionFault("at least one list is required")
    for at, of in enumerate(lists):
        for place, item in enumerate(of.items):
            if item.is_null:
                raise FunctionFault(
                    f"element {place} of list {at} is null; cannot concatenate null values"
                    if len(lists) > 1
                    else f"element {place} is null; cannot concatenate null values",
                    1 + at,
                )
            items.append(item.text)
    if len(items) * len(separator.text) > _MOST_TEXT:
        raise FunctionFault(f"the result has more than {_MOST_TEXT} characters")
    return _checked(separator.text.join(items))


def _replace(text: Value, old: Value, new: Value) -> Value:
    places = text.text.count(old.text)
    if places * len(new.text) > _MOST_TEXT:
        raise FunctionFault(f"the result has more than {_MOST_TEXT} characters")
    return _checked(text.text.replace(old.text, new.text))


def _split(separator: Value, text: Value) -> Value:
    parts = text.text.split(separator.text) if separator.text else list(text.text)
    return list_of(STRING, map(string, parts))


def _substr(text: Value, offset: Value, length: Value) -> Value:
    clusters = graphemes(text.text)
    start, count = integer(offset.number), integer(length.number)
    if start < 0:
        start = max(0, start + len(clusters))
    end = len(clusters) if count < 0 else start + count
    return string("".join(clusters[start:end]))


def _base(path: str) -> str:
    if not path:
        return "."
    return path.rstrip("/").rpartition("/")[2] or "/"


TEXT = {
    "chomp": function("str:s", lambda s: string(s.text.rstrip("\r\n"))),
    "indent": function("spaces:n str:s", _indent),
    "join": function("separator:s lists:strings...", _join),
    "lower": function("str:s", lambda s: string(_lower(s.text))),
    "upper": function("str:s", lambda s: string(_upper(s.text))),
    "title": function("str:s", lambda s: string(_title(s.text))),
    "replace": function("str:s substr:s replace:s", _replace),
    "reverse": function("str:s", lambda s: string("".join(reversed(graphemes(s.text))))),
    "split": function("separator:s str:s", _split),
    "strlen": function("str:s", lambda s: number(len(graphemes(s.text)))),
    "substr": function("str:s offset:n length:n", _substr),
    "trim": function(
        "str:s cutset:s", lambda s, cut: string(s.text.strip(cut.text) if cut.text else s.text)
    ),
    "trimprefix": function("str:s prefix:s", lambda s, p: string(s.text.removeprefix(p.text))),
    "trimsuffix": function("str:s suffix:s", lambda s, p: string(s.text.removesuffix(p.text))),
    "trimspace": function("str:s", lambda s: string(s.text.strip(SPACES))),
    "sanitize": function("name:s", lambda s: string(re.sub(r"[^a-zA-Z0-9_-]", "_", s.text))),
    "basename": function("path:s", lambda s: string(_base(s.text))),
    "dirname": function("path:s", lambda s: string(clean_path(s.text[: s.text.rfind("/") + 1]))),
}
