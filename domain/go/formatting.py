"""Formats of Go's fmt and strconv, which BuildKit's messages and history lines use."""

from collections.abc import Iterable

_ESCAPES = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
    '"': '\\"',
}


def quoted(text: str) -> str:
    """Return ``text`` as ``%q`` writes it (strconv.Quote)."""
    return '"' + "".join(_quoted_character(char) for char in text) + '"'


def quoted_list(texts: Iterable[str]) -> str:
    """Return ``["a" "b"]``, the format ``%q`` of a slice."""
    return f"[{' '.join(quoted(text) for text in texts)}]"


def plain_list(texts: Iterable[str]) -> str:
    """Return ``[a b]``, the format ``%v`` of a slice."""
    return f"[{' '.join(texts)}]"


def duration(nanoseconds: int) -> str:
    """Return ``1m30s``, ``1.5s``, ``20ms``, ``0s`` (time.Duration.String)."""
    if nanoseconds < 0:
        return f"-{duration(-nanoseconds)}"
    if nanoseconds < 10**9:
        return _below_a_second(nanoseconds)
    seconds, fraction = divmod(nanoseconds, 10**9)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(seconds * 10**9 + fraction, 10**9)}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


def _below_a_second(nanoseconds: int) -> str:
    for unit, size in (("ms", 10**6), ("µs", 10**3), ("ns", 1)):
        if nanoseconds >= size:
            return f"{_decimal(nanoseconds, size)}{unit}"
    return "0s"


def _decimal(amount: int, unit: int) -> str:
    whole, fraction = divmod(amount, unit)
    if not fraction:
        return str(whole)
    return f"{whole}.{fraction:0{len(str(unit)) - 1}}".rstrip("0")


def _quoted_character(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char == " " or char.isprintable():
        return char
    code = ord(char)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
