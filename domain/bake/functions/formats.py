"""``format`` and ``formatlist`` (cty/function/stdlib/format.go)."""

import re
from fractions import Fraction
from typing import NamedTuple

from img.domain.bake.functions.graphemes import graphemes
from img.domain.bake.functions.json_text import BadJson, encode_json, encode_string
from img.domain.bake.functions.signature import function
from img.domain.bake.language.scope import FunctionFault
from img.domain.bake.values.convert import BadConversion, convert
from img.domain.bake.values.numbers import BadNumber, Number
from img.domain.bake.values.types import BOOL, NUMBER, STRING, ListOf, SetOf, TupleOf
from img.domain.bake.values.value import Value, list_of, string

_VERB = re.compile(
    r"%(?P<flags>[-+# 0]*)(?P<width>\d*)(?:\.(?P<precision>\d*))?"
    r"(?:\[(?P<index>\d+)\])?(?P<mode>.)?",
    re.DOTALL,
)
_MOST_WIDTH = 10_000
_BASES = {"b": "b", "o": "o", "x": "x", "X": "X", "d": "d"}


class _Verb(NamedTuple):
    text: str
    at: int
    flags: str
    width: int
    precision: int | None
    mode: str


def format_values(template: str, values: tuple[Value, ...]) -> str:
    """Return ``template`` with the verbs filled in. Raises FunctionFault."""
    made: list[str] = []
    at = used = following = 0
    while (place := template.find("%", at)) >= 0:
        made.append(template[at:place])
        if template.startswith("%%", place):
            made.append("%")
            at = place + 2
            continue
        verb, index, at = _read_verb(template, place)
        following = index or following + 1
        used = max(used, following)
        if following > len(values) or following < 1:
            raise FunctionFault(
                f'not enough arguments for "{verb.text}" at {verb.at}: need index {following} but '
                f"have {len(values)} total"
            )
        made.append(_pad(_formatted(verb, values[following - 1]), verb))
    made.append(template[at:])
    if used < len(values):
        if not used:
            raise FunctionFault("too many arguments; no verbs in format string", 1)
        raise FunctionFault(f"too many arguments; only {used} used by format string", 1 + used)
    return "".join(made)


def _read_verb(template: str, place: int) -> tuple[_Verb, int | None, int]:
    found = _VERB.match(template, place)
    assert found is not None
    mode = found["mode"]
    if mode is None:
        raise FunctionFault(f"invalid format string starting at offset {place + 1}")
    if not (mode.isascii() and mode.isalpha()):
        if mode == "[":
            raise FunctionFault(f"invalid format string starting at offset {place + 1}")
        raise FunctionFault(f"unrecognized format character '{mode}' at offset {found.end() - 1}")
    width = int((found["width"] or "0")[:9])
    precision = None if found["precision"] is None else int((found["precision"] or "0")[:9])
    if max(width, precision or 0) > _MOST_WIDTH:
        raise FunctionFault(f"a width or precision of more than {_MOST_WIDTH}")
    verb = _Verb(found[0], place, found["flags"], width, precision, mode)
    return verb, int(found["index"][:9]) if found["index"] else None, found.end()


def _formatted(verb: _Verb, value: Value) -> str:
    if value.is_null and verb.mode != "v":
        _unsupported(verb, "null value cannot be formatted")
    try:
        match verb.mode:
            case "v":
                return _default(verb, value)
            case "t":
                return "true" if convert(value, BOOL).truth else "false"
            case "b" | "d" | "o" | "x" | "X":
                return _integer(verb, convert(value, NUMBER).number)
            case "e" | "E" | "f" | "g" | "G":
                return _decimal(verb, convert(value, NUMBER).number)
            case "s" | "q":
                text = convert(value, STRING).text
                if verb.precision is not None:
                    text = "".join(graphemes(text)[: verb.precision])
                return encode_string(text) if verb.mode == "q" else text
    except (BadConversion, BadJson, BadNumber) as error:
        _unsupported(verb, str(error))
    raise FunctionFault(
        f"unsupported format verb '{verb.mode}' in \"{verb.text}\" at offset {verb.at}"
    )


def _unsupported(verb: _Verb, reason: str) -> None:
    raise FunctionFault(f'unsupported value for "{verb.text}" at {verb.at}: {reason}') from None


def _default(verb: _Verb, value: Value) -> str:
    if "#" in verb.flags or value.is_null or value.type not in (STRING, NUMBER, BOOL):
        return encode_json(value)
    text = convert(value, STRING).text
    if value.type is STRING and verb.precision is not None:
        text = "".join(graphemes(text)[: verb.precision])
    return text


def _integer(verb: _Verb, number: Number) -> str:
    if not number.is_whole():
        raise BadConversion("an integer is required")
    if number.exponent > 4 * _MOST_WIDTH:
        raise BadConversion("the number is too large")
    whole = number.whole()
    digits = format(abs(whole), _BASES[verb.mode])
    if verb.precision is not None:
        digits = digits.rjust(verb.precision, "0")
    if "#" in verb.flags:
        digits = {"x": "0x", "X": "0X", "o": "0", "b": "0b"}.get(verb.mode, "") + digits
    return _zeros(_sign(verb, whole < 0), digits, verb)


def _sign(verb: _Verb, negative: bool) -> str:
    if negative:
        return "-"
    return "+" if "+" in verb.flags else " " if " " in verb.flags else ""


def _zeros(sign: str, digits: str, verb: _Verb) -> str:
    if "0" in verb.flags and "-" not in verb.flags:
        digits = digits.rjust(verb.width - len(sign), "0")
    return sign + digits


def _decimal(verb: _Verb, number: Number) -> str:
    sign = _sign(verb, number.sign < 0)
    if number.infinite:
        return ("-" if number.infinite < 0 else "+") + "Inf"
    number = abs(number)
    mode = verb.mode.lower()
    if mode == "f":
        places = 6 if verb.precision is None else verb.precision
        scaled = round(number.fraction() * 10**places)
        digits = str(scaled).rjust(places + 1, "0")
        text = f"{digits[:-places]}.{digits[-places:]}" if places else digits
    else:
        text = _scientific(number, mode, verb.precision)
    return _zeros(sign, text.upper() if verb.mode in "EG" else text, verb)


def _scientific(number: Number, mode: str, precision: int | None) -> str:
    digits, exponent = _digits(
        number, None if mode == "g" and precision is None else precision, mode
    )
    if mode == "g":
        most = 6 if precision is None else (precision or 1)
        if most > len(digits) >= exponent + 1:
            most = len(digits)
        if precision is None:
            most = 6
        digits = digits.rstrip("0") or "0"
        if -4 <= exponent < most:
            return _plain(digits, exponent)
    mantissa = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
    return f"{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _digits(number: Number, precision: int | None, mode: str) -> tuple[str, int]:
    """Return significant digits and the exponent of the first one."""
    if not number.sign:
        count = 1 if mode == "g" else 1 + (6 if precision is None else precision)
        return "0" * count, 0
    if mode == "g" and precision is None:
        whole, _, fraction = str(number).partition(".")
        digits = (whole + fraction).lstrip("0")
        exponent = len(whole) - 1 if whole != "0" else len(digits) - len(fraction) - 1
        return digits.rstrip("0") or "0", exponent
    count = max(precision or 0, 1) if mode == "g" else 1 + (6 if precision is None else precision)
    value = number.fraction()
    exponent = len(str(int(value))) - 1 if value >= 1 else 0
    while value * 10**-exponent < 1:
        exponent -= 1
    scaled = round(value / Fraction(10) ** (exponent - count + 1))
    if len(str(scaled)) > count:
        scaled //= 10
        exponent += 1
    return str(scaled), exponent


def _plain(digits: str, exponent: int) -> str:
    if exponent < 0:
        return "0." + "0" * (-exponent - 1) + digits
    if len(digits) <= exponent + 1:
        return digits.ljust(exponent + 1, "0")
    return f"{digits[: exponent + 1]}.{digits[exponent + 1 :]}"


def _pad(text: str, verb: _Verb) -> str:
    missing = verb.width - len(graphemes(text))
    if missing <= 0:
        return text
    return text + " " * missing if "-" in verb.flags else " " * missing + text


def _format(template: Value, *values: Value) -> Value:
    return string(format_values(template.text, values))


def _formatlist(template: Value, *values: Value) -> Value:
    length: int | None = None
    first = 0
    columns: list[tuple[Value, ...] | None] = []
    for at, value in enumerate(values):
        many = isinstance(value.type, ListOf | SetOf | TupleOf) and not value.is_null
        columns.append(value.items if many else None)
        if not many:
            continue
        if length is not None and len(value.items) != length:
            raise FunctionFault(
                f"argument {at + 1} has length {len(value.items)}, which is inconsistent with "
                f"argument {first + 1} of length {length}",
                1 + at,
            )
        if length is None:
            length, first = len(value.items), at
    made = []
    for row in range(1 if length is None else length):
        arguments = tuple(
            value if column is None else column[row]
            for value, column in zip(values, columns, strict=True)
        )
        try:
            made.append(string(format_values(template.text, arguments)))
        except FunctionFault as fault:
            raise FunctionFault(f"error on format iteration {row}: {fault.message}") from None
    return list_of(STRING, made)


FORMATS = {
    "format": function("format:s args:a?...", _format),
    "formatlist": function("format:s args:a?...", _formatlist),
}
