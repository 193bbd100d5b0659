"""Quantities as Go's libraries read them: durations, byte sizes, integers."""

import re
from math import isinf

_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_PART = r"(?a)(?=\.?\d)(\d{0,40})\.?(\d{0,40})([^\d.]*)"
# Not a possessive group: Python before 3.11.3 forgets where one began (gh-101955).
_SIZE = r"(?a)([-+]?(?:\d++(?:_\d++)*\.?\d*+|\.\d+)(?:e[-+]?\d+)?) ?(?:([kmgtp])(?:i?b)?|b)?"
_TOO_LARGE = 2**63


class BadQuantity(ValueError):
    """Text that is not a quantity of this kind."""


def parse_duration(text: str) -> int:
    """Return the nanoseconds of ``1h2m3.5s`` (Go time.ParseDuration). Raises BadQuantity."""
    invalid = f"time: invalid duration {_quoted(text)}"
    unsigned = text[1:] if text[:1] in ("+", "-") else text
    if unsigned == "0":
        return 0
    total, at = 0, 0
    while at < len(unsigned):
        part = re.compile(_PART).match(unsigned, at)
        if not part or int(part[1] or 0) > _TOO_LARGE:
            raise BadQuantity(invalid)
        whole, fraction, unit = part.groups()
        if not unit:
            raise BadQuantity(f"time: missing unit in duration {_quoted(text)}")
        if unit not in _NANOSECONDS:
            raise BadQuantity(f"time: unknown unit {_quoted(unit)} in duration {_quoted(text)}")
        total += int(whole + fraction) * _NANOSECONDS[unit] // 10 ** len(fraction)
        if total > _TOO_LARGE:
            raise BadQuantity(invalid)
        at = part.end()
    if not unsigned or total == _TOO_LARGE:
        raise BadQuantity(invalid)
    return -total if text[0] == "-" else total


def _quoted(text: str) -> str:
    """Return ``text`` as Go's package time quotes it: bytes beyond ASCII as ``\\xe9``."""
    shown = (
        f"\\{chr(byte)}"
        if byte in b'"\\'
        else chr(byte)
        if 0x20 <= byte < 0x80
        else f"\\x{byte:02x}"
        for byte in text.encode(errors="replace")
    )
    return f'"{"".join(shown)}"'


def parse_byte_size(text: str) -> int:
    """Return the bytes of ``64m``, with units of 1024 (docker/go-units RAMInBytes).

    Raises BadQuantity.

    A size above int64 becomes the lowest int64, as in Go on amd64; callers refuse it.
    """
    found = re.fullmatch(_SIZE, text.removesuffix(" ") if text.endswith(". ") else text.lower())
    if not found:
        raise BadQuantity(f"invalid size: '{text}'")
    number, unit = found.groups()
    size = float(number) * 1024.0 ** " kmgtp".index(unit or " ")
    if size < 0 or isinf(float(number)):
        raise BadQuantity(f"invalid size: '{text}'")
    return int(size) if size < _TOO_LARGE else -_TOO_LARGE


def parse_unsigned(text: str, base: int = 10, bits: int = 32) -> int:
    """Return an unsigned integer of ``bits`` (Go strconv.ParseUint). Raises BadQuantity."""
    digits = "0-7" if base == 8 else "0-9"
    if not re.fullmatch(f"[{digits}]{{1,40}}", text) or (number := int(text, base)) >= 2**bits:
        raise BadQuantity(f"invalid number: '{text}'")
    return number
