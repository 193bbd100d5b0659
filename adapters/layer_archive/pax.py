"""Extended headers: records that do not fit a header (POSIX.1-2017 pax, "Extended Header")."""

import re
from collections.abc import Mapping

from img.application.ports.layer_archive import InvalidLayer

XATTR = b"SCHILY.xattr."
_TIME = re.compile(rb"(-?)(\d{1,13})(?:\.(\d*))?")


def parse(content: bytes) -> dict[bytes, bytes]:
    """Return the records of an extended header. Raises InvalidLayer."""
    records = {}
    at = 0
    while at < len(content):
        space = content.find(b" ", at, at + 20)
        digits = content[at:space]
        if space < 0 or not digits.isdigit():
            raise InvalidLayer("a tar extended header has no length")
        end = at + int(digits)
        key, equals, value = content[space + 1 : end - 1].partition(b"=")
        if end > len(content) or content[end - 1 : end] != b"\n" or not key or not equals:
            raise InvalidLayer("a tar extended header has a broken record")
        records[key] = value
        at = end
    return records


def render(records: Mapping[bytes, bytes]) -> bytes:
    """Return the content of an extended header, sorted by key."""
    return b"".join(_record(key, records[key]) for key in sorted(records))


def _record(key: bytes, value: bytes) -> bytes:
    rest = b" %s=%s\n" % (key, value)
    length = len(rest) + len(str(len(rest)))
    if len(str(length)) + len(rest) != length:
        length += 1  # the length's own digits made it longer by one
    return b"%d%s" % (length, rest)


def nanoseconds(value: bytes) -> int:
    """Return a time such as ``1.5`` in nanoseconds; further digits are cut off."""
    match = _TIME.fullmatch(value)
    if not match:
        raise InvalidLayer(f"a tar extended header has {value!r} for a time")
    sign, whole, fraction = match.groups()
    time = int(whole) * 10**9 + int((fraction or b"")[:9].ljust(9, b"0"))
    return -time if sign else time


def natural(value: bytes) -> int:
    """Return a number that is not negative."""
    if not value.isdigit() or len(value) > 18:
        raise InvalidLayer(f"a tar extended header has {value!r} for a number")
    return int(value)
