"""The listing of a view: its content, in a file beside it."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from img.domain.filesystem.entry import DIRECTORY, FILE, HARDLINK, Entry

_BLOCK = 4096

Listing = Mapping[str, Entry]
"""Entries by path, without offsets."""


def listing_of(entries: Iterable[Entry]) -> Listing:
    """Return the listing of ``entries``."""
    return {entry.path: entry._replace(offset=-1) for entry in entries}


def encode(listing: Listing) -> str:
    """Return ``listing`` as text: a line with its approximate size, then the entries."""
    rows = [
        [*entry._replace(xattrs=()), [[name, value.hex()] for name, value in entry.xattrs]]
        for entry in listing.values()
    ]
    return f"{sum(map(_room_of, listing.values()))}\n{json.dumps(rows)}"


def size_in(line: str) -> int | None:
    """Return the size in bytes in the first ``line`` of a listing, None without any.

    Reading a whole listing takes a second for 100,000 files.
    """
    digits = line.removesuffix("\n")
    return int(digits) if digits != line and digits.isdecimal() else None


def decode(text: str) -> Listing | None:
    """Return the listing in ``text``, None if it is truncated or of an older version."""
    try:
        return {row[0]: _entry(row) for row in json.loads(text.partition("\n")[2])}
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        return None


def same(path: str, one: Listing, other: Listing) -> bool:
    """Tell whether both have the same at ``path``; a hard link counts as its file."""
    entry = one.get(path)
    if entry is None or entry != other.get(path):
        return False
    return entry.kind != HARDLINK or same(entry.link, one, other)


def unchanged(one: Listing, other: Listing) -> set[str]:
    """Return the paths, without directories, that are the same in both."""
    return {
        path for path, entry in one.items() if entry.kind != DIRECTORY and same(path, one, other)
    }


def _room_of(entry: Entry) -> int:
    """Return the disk usage of a file or directory on most file systems."""
    blocks = -(-entry.size // _BLOCK) if entry.kind == FILE else int(entry.kind == DIRECTORY)
    return blocks * _BLOCK


def _entry(row: list[Any]) -> Entry:
    *fields, xattrs = row
    entry = Entry(*fields)
    return entry._replace(
        device=(entry.device[0], entry.device[1]),
        xattrs=tuple((name, bytes.fromhex(value)) for name, value in xattrs),
    )
