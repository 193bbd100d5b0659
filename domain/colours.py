"""Colours of progress: BUILDKIT_COLORS, as BuildKit reads it (progressui/colors.go)."""

from collections.abc import Mapping

_NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_CODES = {"default": "39"}
_CODES |= {name: str(30 + number) for number, name in enumerate(_NAMES)}
_CODES |= {f"light-{name}": str(90 + number) for number, name in enumerate(_NAMES)}

USUAL: Mapping[str, str] = {"run": "34", "cancel": "33", "error": "31", "warning": "33"}
"""The parameters of escape sequences, such as the 34 of ``\\x1b[34m``, by what they are for."""


def colours(environment: Mapping[str, str]) -> Mapping[str, str]:
    """Return the colours that a user wants: none at all with NO_COLOR.

    What is no colour, such as ``run=blau``, is passed over, as BuildKit does.
    """
    if environment.get("NO_COLOR"):
        return {}
    chosen = {**USUAL}
    for entry in environment.get("BUILDKIT_COLORS", "").split(":"):
        name, _, value = entry.strip('"').partition("=")
        code = _code(value.strip('"').lower())
        if name.lower() in chosen and code:
            chosen[name.lower()] = code
    return chosen


def _code(value: str) -> str:
    if value in _CODES:
        return _CODES[value]
    parts = value.split(",")
    if len(parts) == 3 and all(part.isdecimal() and int(part) < 256 for part in parts):
        return ";".join(("38", "2", *(str(int(part)) for part in parts)))
    return ""
