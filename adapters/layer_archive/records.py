"""Encoding of entries: a USTAR header, after an extended header if necessary."""

import functools

from img.adapters.layer_archive import header, pax
from img.application.ports.layer_archive import InvalidLayer
from img.domain.filesystem.entry import (
    BLOCK,
    CHARACTER,
    DIRECTORY,
    FIFO,
    FILE,
    HARDLINK,
    SYMLINK,
    EntryKind,
)

_TYPES = {
    FILE: b"0",
    HARDLINK: b"1",
    SYMLINK: b"2",
    CHARACTER: b"3",
    BLOCK: b"4",
    DIRECTORY: b"5",
    FIFO: b"6",
}
_LONGEST_NAME = 100
_LONGEST_PREFIX = 155
_LARGEST_ID = 0o7777777
_LARGEST = 0o77777777777  # size and time
_EXTENDED_NAME = b"././@PaxHeader"  # any name would do: readers that know the type ignore it


Attributes = tuple[
    str, EntryKind, int, int, int, int, int, str, tuple[int, int], tuple[tuple[str, bytes], ...]
]
"""The first fields of an Entry, up to its xattrs."""


def render(entry: Attributes) -> bytes:
    """Return the header or headers of an entry; its mtime is cut to whole seconds."""
    path, kind, mode, uid, gid, size, mtime, link, device, xattrs = entry
    mtime //= 10**9
    name = path.encode("utf-8", "surrogateescape")
    if kind == DIRECTORY:
        name = name + b"/" if name else b"./"
    if (
        len(name) <= _LONGEST_NAME
        and not link
        and not xattrs
        and 0 <= mtime <= _LARGEST
        and size <= _LARGEST
        and uid <= _LARGEST_ID
        and gid <= _LARGEST_ID
        and name.isascii()
    ):  # nearly all entries
        return header.plain(name, _owned(mode, uid, gid), size, mtime, _TYPES[kind], device)
    records = {}
    name, prefix = _split(name)
    if prefix is None:
        records[b"path"] = name
        name, prefix = _ascii(name), b""
    target = link.encode("utf-8", "surrogateescape")
    if len(target) > _LONGEST_NAME or not target.isascii():
        records[b"linkpath"] = target
        target = _ascii(target)
    numbers = {b"uid": uid, b"gid": gid, b"size": size, b"mtime": mtime}
    for key, most in _MOST.items():
        if not 0 <= numbers[key] <= most:
            records[key] = b"%d" % numbers[key]
            numbers[key] = 0
    for attribute, value in xattrs:
        if "=" in attribute:
            raise InvalidLayer(f"/{path}: no tar can hold the attribute {attribute!r}")
        records[pax.XATTR + attribute.encode("utf-8", "surrogateescape")] = value
    block = header.render(
        name=name,
        mode=mode,
        uid=numbers[b"uid"],
        gid=numbers[b"gid"],
        size=numbers[b"size"],
        mtime=numbers[b"mtime"],
        kind=_TYPES[kind],
        link=target,
        device=device,
        prefix=prefix,
    )
    return _extended(records) + block if records else block


_owned = functools.lru_cache(maxsize=1024)(header.owned)  # few different ones


_MOST = {b"uid": _LARGEST_ID, b"gid": _LARGEST_ID, b"size": _LARGEST, b"mtime": _LARGEST}


def _split(name: bytes) -> tuple[bytes, bytes | None]:
    """Return the name and prefix fields for ``name``; prefix None if it does not fit."""
    if not name.isascii():
        return name, None
    if len(name) <= _LONGEST_NAME:
        return name, b""
    slash = name.rfind(b"/", 0, min(_LONGEST_PREFIX, len(name) - 2) + 1)
    if slash <= 0 or len(name) - slash - 1 > _LONGEST_NAME:
        return name, None
    return name[slash + 1 :], name[:slash]


def _ascii(name: bytes) -> bytes:
    """Return an ASCII approximation of ``name``, for readers without extended headers."""
    return bytes(byte if byte < 0x80 else 0x5F for byte in name[:_LONGEST_NAME])


def _extended(records: dict[bytes, bytes]) -> bytes:
    content = pax.render(records)
    block = header.render(
        name=_EXTENDED_NAME, mode=0o644, uid=0, gid=0, size=len(content), mtime=0, kind=b"x"
    )
    return block + content.ljust(header.padded(len(content)), b"\0")
