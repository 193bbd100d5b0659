"""The part of Go's fmt.Sprintf that templates need."""

import json
import re
from collections.abc import Sequence

from img.domain.go.template.values import TemplateError, Value, printed

_WIDEST = 4096
_VERB = re.compile(r"%([-+ 0#]*)([0-9]{0,9})(?:\.([0-9]{0,9}))?([^\W\d_]|%)", re.DOTALL)
_INTEGERS = {"d": "d", "x": "x", "X": "X", "o": "o", "b": "b", "c": "c"}
_FRACTIONS = frozenset("feEgG")


def formatted(form: str, values: Sequence[Value]) -> str:
    """Return ``form`` with its verbs replaced. Raises TemplateError for fields that are too wide.

    As in Go, a mismatch is no error: the text names it (``%!d(string=a)``).
    """
    left = list(values)
    text = _VERB.sub(lambda found: _replaced(found, left), form)
    if left:
        text += f"%!(EXTRA {', '.join(f'{_go_kind(each)}={printed(each)}' for each in left)})"
    return text


def _replaced(found: re.Match[str], left: list[Value]) -> str:
    flags, width, precision, verb = found.groups()
    if verb == "%":
        return "%"
    if not left:
        return f"%!{verb}(MISSING)"
    if int(width or 0) > _WIDEST or int(precision or 0) > _WIDEST:
        raise TemplateError(f"{found[0]} is wider than {_WIDEST} characters")
    value = left.pop(0)
    text = _formatted(value, verb, flags, None if precision is None else int(precision or 0))
    if "-" in flags:
        return text.ljust(int(width or 0))
    zeros = "0" in flags and isinstance(value, int | float) and not isinstance(value, bool)
    return text.zfill(int(width or 0)) if zeros else text.rjust(int(width or 0))


def _formatted(value: Value, verb: str, flags: str, precision: int | None) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    sign = "+" if "+" in flags else " " if " " in flags else ""
    if verb == "v" or (verb == "s" and not number and not isinstance(value, bool)):
        return printed(value)[:precision]
    if verb == "q" and isinstance(value, str):
        return json.dumps(value[:precision], ensure_ascii=False)
    if verb == "t" and isinstance(value, bool):
        return printed(value)
    if verb in ("x", "X") and isinstance(value, str):
        digits = value.encode("utf-8", "replace").hex()
        return digits if verb == "x" else digits.upper()
    if verb in _INTEGERS and number and isinstance(value, int):
        if verb == "c":
            is_character = 0 <= value <= 0x10FFFF and not 0xD800 <= value < 0xE000
            return chr(value) if is_character else "\ufffd"
        return format(value, sign + _INTEGERS[verb])
    if verb in _FRACTIONS and isinstance(value, float):
        return format(value, f"{sign}.{6 if precision is None else precision}{verb}")
    if verb == "T":
        return _go_kind(value)
    return f"%!{verb}({_go_kind(value)}={printed(value)})"


def _go_kind(value: Value) -> str:
    match value:
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "float64"
        case str():
            return "string"
        case list():
            return "[]interface {}"
        case dict():
            return "map[string]interface {}"
        case _:
            return "<nil>"
