"""The forms in which the value of a secret gets into a file."""

import base64
import json
from collections.abc import Iterator
from html import escape

SHORTEST = 6  # bytes; shorter values are found by chance
_WRAPPED = (64, 76)  # columns of base64 in PEM files and from base64(1)
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")


def forms_of(value: bytes) -> dict[bytes, str]:
    """Return texts that give ``value`` away, and the name of each form; none for a short value.

    Blanks and line ends around the value do not count.
    """
    value = value.strip()
    if len(value) < SHORTEST:
        return {}
    found: dict[bytes, str] = {}
    for text, name in _forms(value):
        if len(text) >= SHORTEST:
            found.setdefault(text, name)
    return found


def _forms(value: bytes) -> Iterator[tuple[bytes, str]]:
    yield value, "as it is"
    if b"\n" in value:
        yield value.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"), "with CRLF"
    yield from _base64(value)
    for name, kept in (("URL-quoted", _UNRESERVED), ("URL-quoted", _UNRESERVED | {0x2F})):
        upper = _percent(value, kept)
        yield upper, name
        yield _lower_escapes(upper), name
        yield upper.replace(b"%20", b"+"), name
    yield value.hex().encode(), "as hexadecimal digits"
    yield value.hex().upper().encode(), "as hexadecimal digits"
    yield value[::-1], "reversed"
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return
    for ascii_only in (True, False):
        yield json.dumps(text, ensure_ascii=ascii_only)[1:-1].encode(), "as a JSON string"
    yield json.dumps(text)[1:-1].replace("/", "\\/").encode(), "as a JSON string"
    yield escape(text).encode(), "as XML"
    yield escape(text, quote=False).encode(), "as XML"
    yield text.replace("'", "'\\''").encode(), "quoted for a shell"
    yield text.encode("utf-16-le"), "as UTF-16"
    yield text.encode("utf-16-be"), "as UTF-16"


def _base64(value: bytes) -> Iterator[tuple[bytes, str]]:
    """Yield the base64 of the value, for each place where it may begin in a longer text.

    The characters that depend on bytes beside the value are cut off.
    """
    for before in range(3):
        whole = base64.b64encode(bytes(before) + value)
        end = (before + len(value)) * 8 // 6
        text = whole[(before * 8 + 5) // 6 : end]
        yield text, "as base64"
        yield text.translate(bytes.maketrans(b"+/", b"-_")), "as base64"
    whole = base64.b64encode(value)
    for columns in _WRAPPED:
        if len(whole) > columns:
            yield whole[:columns], "as base64"


def _percent(value: bytes, kept: frozenset[int]) -> bytes:
    return b"".join(bytes([byte]) if byte in kept else b"%%%02X" % byte for byte in value)


def _lower_escapes(text: bytes) -> bytes:
    parts = text.split(b"%")
    return b"%".join([parts[0], *(part[:2].lower() + part[2:] for part in parts[1:])])
