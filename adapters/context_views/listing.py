"""What a view holds, as it is written beside it."""

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
    """Return ``listing`` as text: a line with about the room that it takes, then the entries."""
    rows = [
        [*entry._replace(xattrs=()), [[name, value.hex()] for name, value in entry.xattrs]]
        for entry in listing.values()
    ]
    return f"{sum(map(_room_of, listing.values()))}\n{json.dumps(rows)}"


def size_in(line: str) -> int | None:
    """Return the room in bytes that the first ``line`` of a listing tells, None without any.

    To read all of a listing takes a second for 100,000 files.
    """
    digits = line.removesuffix("\n")
    return int(digits) if digits != line and digits.isdecimal() else None


def decode(text: str) -> Listing | None:
    """Return the listing in ``text``, None where it holds none: it was cut off, or is older."""
    try:
        return {row[0]: _entry(row) for row in json.loads(text.partition("\n")[2])}
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        return None


def same(path: str, one: Listing, other: Listing) -> bool:
    """Tell whether both show the same at ``path``; another name of a file is what that file is."""
    entry = one.get(path)
    if entry is None or entry != other.get(path):
        return False
    return entry.kind != HARDLINK or same(entry.link, one, other)


def unchanged(one: Listing, other: Listing) -> set[str]:
    """Return the paths of all but directories that are the same in both."""
    return {
        path for path, entry in one.items() if entry.kind != DIRECTORY and same(path, one, other)
    }


def _room_of(entry: Entry) -> int:
    """Return how many bytes a file or directory takes on most file systems."""
    blocks = -(-entry.size // _BLOCK) if entry.kind == FILE else int(entry.kind == DIRECTORY)
    return blocks * _BLOCK


def _entry(row: list[Any]) -> Entry:
    *fields, xattrs = row
    entry = Entry(*fields)
    return entry._replace(
        device=(entry.device[0], entry.device[1]),
        xattrs=tuple((name, bytes.fromhex(value)) for name, value in xattrs),
    )
