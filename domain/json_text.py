"""A strict reader of JSON from outside: registries, archives, image stores, helper programs."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import NoReturn

from img.domain.errors import ImgError

MOST_BYTES = 32 * 1024 * 1024  # of one document; registries accept 4 MiB (distribution-spec)
_DEEPEST = 64  # nested arrays and objects; documents of the image-spec have fewer than 10
_MOST_VALUES = 1_000_000
_LONGEST_NUMBER = 64  # characters; int64 has 20
_LONE_SURROGATE = "[\ud800-\udfff]"
_HALF_ESCAPED = r"\\u[dD][89a-fA-F]"
# Strings are matched as a whole, so that brackets in them do not count. Unterminated ones are
# matched too: otherwise the search would start again after each of their quotes.
_STRUCTURE = r'(?s)"(?:[^"\\]++|\\.)*+"?|[][{},]'


class InvalidJson(ImgError):
    """Text that is not JSON, or JSON beyond the limits; ``message`` is the reason."""

    exit_code = 6


def parse_json(text: bytes | str, *, most_bytes: int = MOST_BYTES) -> object:
    """Return the value of ``text``. Raises InvalidJson, and no other exception.

    The size, the depth, the number of values, and the length of numbers are limited. An object may
    hold a name only once, because readers choose differently between two. As in Go's decoder,
    invalid UTF-8 and halves of surrogate pairs become U+FFFD, so every value can be encoded.
    """
    if len(text) > most_bytes:
        raise InvalidJson(f"more than {most_bytes} bytes")
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace").removeprefix("\ufeff")
    _check_structure(text)
    try:
        value: object = json.loads(
            text,
            parse_int=_integer,
            parse_float=_finite,
            parse_constant=_no_constant,
            object_pairs_hook=_object,
        )
    except (ValueError, RecursionError) as error:  # the caller's stack counts too
        raise InvalidJson(f"no JSON: {error}") from None
    return _without_surrogates(value) if _has_halves(text) else value


def _has_halves(text: str) -> bool:
    # Quick: nearly every document is ASCII without escapes.
    escaped = "\\u" in text and re.search(_HALF_ESCAPED, text)
    return bool(escaped or (not text.isascii() and re.search(_LONE_SURROGATE, text)))


def _check_structure(text: str) -> None:
    """Raise InvalidJson for a text that is too deep, or has too many values."""
    opened = text.count("[") + text.count("{")
    if opened <= _DEEPEST and text.count(",") + opened < _MOST_VALUES:
        return  # true for nearly every document, and ten times as fast
    depth = values = 0
    for found in re.finditer(_STRUCTURE, text):
        match found[0]:
            case "[" | "{":
                depth += 1
                values += 1
            case "]" | "}":
                depth -= 1
            case ",":
                values += 1
        if depth > _DEEPEST:
            raise InvalidJson(f"more than {_DEEPEST} arrays and objects in one another")
        if values > _MOST_VALUES:
            raise InvalidJson(f"more than {_MOST_VALUES} values")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError(f"{_repeated(name for name, _ in pairs)!r:.80} stands there twice")
    return made


def _repeated(names: Iterable[str]) -> str:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return ""


def _integer(text: str) -> int:
    _check_length(text)
    return int(text)


def _finite(text: str) -> float:
    _check_length(text)
    number = float(text)
    if number - number != 0:
        raise ValueError(f"{text} is out of range")
    return number


def _check_length(number: str) -> None:
    if len(number) > _LONGEST_NUMBER:
        raise ValueError(f"a number of {len(number)} characters")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no value")


def _without_surrogates(value: object) -> object:
    match value:
        case str():
            return value if value.isascii() else re.sub(_LONE_SURROGATE, "\ufffd", value)
        case list():
            return [_without_surrogates(item) for item in value]
        case dict():
            return dict(_whole_names(value))
        case _:
            return value


def _whole_names(value: dict[str, object]) -> Iterator[tuple[str, object]]:
    for name, item in value.items():
        yield str(_without_surrogates(name)), _without_surrogates(item)
