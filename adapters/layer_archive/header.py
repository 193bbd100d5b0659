"""Tar headers of 512 bytes (POSIX.1-2017 pax, "ustar Interchange Format").

Also the V7 layout, without a magic, and GNU's, with the magic "ustar  ".
"""

import functools
import struct
from typing import NamedTuple
from zlib import adler32

from img.application.ports.layer_archive import InvalidLayer

BLOCK = 512
END = bytes(BLOCK)  # two blocks of zeros end an archive

_FIELDS = struct.Struct("100s8s8s8s12s12s8sc100s8s64x8s8s155s12x")
_POSIX_MAGIC = b"ustar\x00"
_CHECKSUM = slice(148, 156)
_ADLER = 65521
# Year 36812; Go writes year 1 for unknown times. The kernel's calls accept no more.
_LATEST = 1 << 40


class Header(NamedTuple):
    """The fields of one header, unchanged."""

    name: bytes
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int  # seconds
    type: bytes
    link: bytes
    device: tuple[int, int]


def padded(size: int) -> int:
    """Return the size of ``size`` bytes of content in an archive, with padding."""
    return (size + 511) & ~511


def parse(block: bytes) -> Header:
    """Return the fields of a header. Raises InvalidLayer if it is invalid."""
    name, mode, uid, gid, size, mtime, checksum, kind, link, magic, major, minor, prefix = (
        _FIELDS.unpack(block)
    )
    if not _is_sound(block, checksum):
        raise InvalidLayer("a tar header's checksum is wrong")
    name = name.partition(b"\0")[0]
    if magic.startswith(_POSIX_MAGIC) and prefix[0]:
        name = prefix.partition(b"\0")[0] + b"/" + name
    fields = (
        name,
        _often(mode) & 0o7777,
        _often(uid),
        _often(gid),
        size_of(size),
        seconds(mtime),
        kind,
        link.partition(b"\0")[0],
        (number(major), number(minor)) if kind in b"34" else (0, 0),
    )
    # A third of the time of the NamedTuple's own __new__; images have 10^5 headers.
    return tuple.__new__(Header, fields)


def is_header(block: bytes) -> bool:
    """Tell whether ``block`` is a tar header, and not the end of an archive."""
    return len(block) == BLOCK and block != END and _is_sound(block, block[_CHECKSUM])


def number(field: bytes) -> int:
    """Return the number in a field: octal digits, or base 256 if the first bit is set (GNU)."""
    digits = field.strip(b" \0")
    try:
        if digits.isdigit():
            return int(digits, 8)
        if not digits:
            return 0
        if field[0] & 0x80:
            return _base_256(field)
        return int(digits.partition(b"\0")[0].decode("ascii").strip(), 8)
    except ValueError:
        raise InvalidLayer(f"a tar header has {field!r} for a number") from None


_often = functools.lru_cache(maxsize=1024)(number)  # there are few modes and owners


def size_of(field: bytes) -> int:
    """Return the number in a field for a length."""
    size = number(field)
    if not 0 <= size < 1 << 63:
        raise InvalidLayer(f"a tar header gives a size of {size}")
    return size


def seconds(field: bytes) -> int:
    """Return the number in a field for a time."""
    time = number(field)
    if not -_LATEST < time < _LATEST:
        raise InvalidLayer(f"a tar header gives a time of {time}")
    return time


def _base_256(field: bytes) -> int:
    value = int.from_bytes(field, "big")
    bits = 8 * len(field)
    if field[0] & 0x40:
        return value - (1 << bits)
    return value - (1 << (bits - 1))


def _is_sound(block: bytes, checksum: bytes) -> bool:
    # adler32's low half is 1 + the sum of the bytes, modulo 65521: ten times as fast as sum().
    try:
        expected = number(checksum)
    except InvalidLayer:
        return False
    actual = ((adler32(block) & 0xFFFF) - 1 - sum(checksum) + 8 * 0x20) % _ADLER
    return expected % _ADLER == actual or expected == _signed_sum(block)


def _signed_sum(block: bytes) -> int:
    # Some old tars summed signed characters (GNU tar manual, "Basic Tar Format").
    plain = block[: _CHECKSUM.start] + b" " * 8 + block[_CHECKSUM.stop :]
    return sum(struct.unpack("512b", plain))


def render(
    *,
    name: bytes,
    mode: int,
    uid: int,
    gid: int,
    size: int,
    mtime: int,
    kind: bytes,
    link: bytes = b"",
    device: tuple[int, int] = (0, 0),
    prefix: bytes = b"",
) -> bytes:
    """Return a USTAR header of ASCII ``name``, ``link`` and ``prefix``, without owners' names."""
    return _block(
        name, owned(mode, uid, gid), size, mtime, kind, link.ljust(100, b"\0"), device, prefix
    )


def plain(
    name: bytes, owner: bytes, size: int, mtime: int, kind: bytes, device: tuple[int, int]
) -> bytes:
    """Return the header of an entry without link and prefix; ``owner`` is a result of ``owned``."""
    return _block(name, owner, size, mtime, kind, _NO_LINK, device, b"")


def owned(mode: int, uid: int, gid: int) -> bytes:
    """Return the fields of the mode and the owner."""
    return b"%07o\0%07o\0%07o\0" % (mode, uid, gid)


def _block(
    name: bytes,
    owner: bytes,
    size: int,
    mtime: int,
    kind: bytes,
    link: bytes,
    device: tuple[int, int],
    prefix: bytes,
) -> bytes:
    start = b"%s%s%011o\0%011o\0" % (name.ljust(100, b"\0"), owner, size, mtime)
    end = b"%s%s%s%s%s" % (
        kind,
        link,
        _MAGIC_AND_NO_OWNERS,
        _NO_DEVICE if device == (0, 0) else b"%07o\0%07o\0" % device,
        prefix.ljust(167, b"\0") if prefix else _NO_PREFIX,
    )
    # The checksum counts as spaces. The sum of 512 ASCII characters is below 65521, so adler32 is
    # exact.
    checksum = (adler32(end, adler32(start)) & 0xFFFF) - 1 + 8 * 0x20
    return b"%s%06o\0 %s" % (start, checksum, end)


_MAGIC_AND_NO_OWNERS = b"ustar\x0000" + bytes(64)
_NO_DEVICE = b"0000000\x000000000\x00"
_NO_LINK = bytes(100)
_NO_PREFIX = bytes(167)
