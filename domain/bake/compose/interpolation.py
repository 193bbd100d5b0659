"""Variables in compose files and in ``.env`` (compose-spec, "Interpolation")."""

import re
from collections import ChainMap
from collections.abc import Callable, Mapping

from img.domain.bake.errors import BakeError

_NAME = r"[_a-zA-Z][_a-zA-Z0-9]*"
_START = re.compile(rf"\$(?:(\$)|({_NAME})|\{{({_NAME})(:?[-?+]|\}})|(\{{))")
_MOST_DEPTH = 20
_MOST_TEXT = 4 << 20
Warn = Callable[[str], None]


class BadInterpolation(ValueError):
    """A text with an invalid ``${…}``."""


class MissingVariable(ValueError):
    """A variable that a text demands."""


def interpolate(text: str, variables: Mapping[str, str], warn: Warn) -> str:
    """Return ``text`` with the values of variables. Raises BadInterpolation, MissingVariable.

    ``warn`` gets the names of variables that are not set.
    """
    made, end = _read(text, 0, variables, warn, 0)
    assert end == len(text)
    return made


def _read(
    text: str, at: int, variables: Mapping[str, str], warn: Warn, depth: int
) -> tuple[str, int]:
    """Return the value of ``text`` from ``at`` on, and its end: inside of braces, a brace."""
    if depth > _MOST_DEPTH:
        raise BadInterpolation(text)
    parts: list[str] = []
    while at < len(text):
        if depth and text[at] == "}":
            break
        if text[at] != "$":
            following = _next_sign(text, at, inside=depth > 0)
            parts.append(text[at:following])
            at = following
            continue
        found = _START.match(text, at)
        if not found:
            parts.append("$")
            at += 1
            continue
        escaped, plain, braced, operator, broken = found.groups()
        at = found.end()
        if broken:
            raise BadInterpolation(text)
        if escaped:
            parts.append("$")
        elif plain or operator == "}":
            parts.append(_value(plain or braced, variables, warn))
        else:
            value, at = _operated(text, at, braced, operator, variables, depth, warn)
            parts.append(value)
        if sum(map(len, parts)) > _MOST_TEXT:
            raise BadInterpolation("a text that is too long")
    return "".join(parts), at


def _next_sign(text: str, at: int, *, inside: bool) -> int:
    places = [text.find("$", at), text.find("}", at) if inside else -1]
    return min((place for place in places if place >= 0), default=len(text))


def _value(name: str, variables: Mapping[str, str], warn: Warn) -> str:
    if name not in variables:
        warn(name)
    return variables.get(name, "")


def _operated(
    text: str,
    at: int,
    name: str,
    operator: str,
    variables: Mapping[str, str],
    depth: int,
    warn: Warn,
) -> tuple[str, int]:
    value = variables.get(name)
    is_set = value is not None and (bool(value) or operator[0] != ":")
    kind = operator[-1]
    # What is not taken is read, but says nothing about its variables.
    taken = is_set is (kind == "+")
    word, end = _read(text, at, variables, warn if taken else _silent, depth + 1)
    if text[end : end + 1] != "}":
        raise BadInterpolation(text)
    if kind == "+":
        return (word if is_set else ""), end + 1
    if is_set:
        return value or "", end + 1
    if kind == "?":
        raise MissingVariable(f"required variable {name} is missing a value: {word}")
    return word, end + 1


def _silent(_: str) -> None:
    """Warn of nothing."""


_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([\w.-]+)\s*[=:]\s*")
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$$"}


def read_dotenv(text: str, variables: Mapping[str, str], warn: Warn) -> dict[str, str]:
    """Return the variables that a ``.env`` file sets. Raises BakeError.

    ``variables`` are those of the process: they come first where a value names another variable.
    """
    found: dict[str, str] = {}
    known = ChainMap(dict(variables), found)
    left = _MOST_TEXT
    at = 0
    text = text.replace("\r\n", "\n").removeprefix("\ufeff")
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        line = text[at:end]
        if not line.strip() or line.lstrip().startswith("#"):
            at = end + 1
            continue
        start = _ASSIGNMENT.match(text, at, end)
        if not start:
            name = line.strip().removeprefix("export ").strip()
            if not re.fullmatch(r"[\w.-]+", name):
                number = text.count("\n", 0, at) + 1
                raise BakeError(
                    f"failed to read .env: line {number}: unexpected character in "
                    f"{line.strip()!r:.80}"
                )
            if name in variables:
                found[name] = variables[name]
            at = end + 1
            continue
        try:
            value, at = _dotenv_value(text, start.end(), end, known, warn)
        except (BadInterpolation, MissingVariable) as error:
            raise BakeError(f"failed to read .env: {error}") from None
        left -= len(value)
        if left < 0:
            raise BakeError(f"failed to read .env: values of more than {_MOST_TEXT} characters")
        found[start[1]] = value
    return found


def _dotenv_value(
    text: str, at: int, end: int, known: Mapping[str, str], warn: Warn
) -> tuple[str, int]:
    quoted = _QUOTED.match(text, at)
    if quoted:
        end = text.find("\n", quoted.end())
        following = len(text) if end < 0 else end + 1
        if quoted[1] is not None:
            return quoted[1].replace("\\'", "'"), following
        plain = re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[0]), quoted[2], flags=re.DOTALL)
        return interpolate(plain, known, warn), following
    if text[at:end][:1] in ("'", '"') and text[at:end]:
        raise BadInterpolation(f"unterminated quoted value {text[at:end]!r:.80}")
    value = re.split(r"\s#", text[at:end])[0].strip()
    return interpolate(value, known, warn), end + 1
