"""Entries of a layer in columns: a tenth of the memory of tuples."""

import marshal
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, cast

from img.domain.filesystem.entry import (
    BLOCK,
    CHARACTER,
    DIRECTORY,
    FIFO,
    FILE,
    HARDLINK,
    SYMLINK,
    Entry,
    EntryKind,
)
from img.domain.filesystem.file_name import are_tree_paths
from img.domain.kernel_numbers import is_device, is_id

_KINDS = frozenset((FILE, DIRECTORY, SYMLINK, HARDLINK, CHARACTER, BLOCK, FIFO))
_ATTRIBUTES = itemgetter(1, 2, 3, 4, 8, 9)  # of most entries, one of a few combinations
_DIGEST = 64  # characters
_NO_DIGEST = "0" * _DIGEST

Attributes = tuple[str, int, int, int, tuple[int, int], tuple[tuple[str, bytes], ...]]
"""Kind, mode, uid, gid, device and xattrs."""

Numbers = bytes | list[int]
"""Integers of 64 bits, in the order of Intel's bytes; a list if one is larger."""


class CorruptColumns(ValueError):
    """Stored columns with an error, or with an entry that is impossible in a layer."""


class EntryColumns:
    """At most 65,536 entries, of which an Entry is made when it is asked for."""

    __slots__ = ("_columns", "_paths", "size")

    def __init__(self, columns: tuple[Any, ...], size: int) -> None:
        self._columns = columns
        self._paths: str = columns[0]
        self.size = size

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> "EntryColumns":
        """Return ``entries``, at least one, in columns."""
        paths, _, _, _, _, sizes, mtimes, links, _, _, digests, offsets = zip(*entries, strict=True)
        known: dict[Attributes, int] = {}
        numbers = [known.setdefault(each, len(known)) for each in map(_ATTRIBUTES, entries)]
        columns = (
            "\0".join(paths),
            list(known),
            struct.pack(f"<{len(numbers)}H", *numbers),
            _packed(sizes),
            _packed(mtimes),
            {row: link for row, link in enumerate(links) if link} if any(links) else {},
            _packed_digests(digests),
            _packed(offsets),
        )
        return cls(columns, len(entries))

    @classmethod
    def decode(cls, content: bytes | memoryview) -> "EntryColumns":
        """Return the columns that ``encode`` wrote. Raises CorruptColumns."""
        try:
            columns = marshal.loads(content)
            if type(columns) is not tuple or len(columns) != 8 or type(columns[2]) is not bytes:
                raise CorruptColumns
            size = len(columns[2]) // 2
            found = cls(columns, size)
            if not size or not _are_sound(columns, size):
                raise CorruptColumns
        except (ValueError, EOFError, TypeError, AttributeError, struct.error) as error:
            raise CorruptColumns from error
        return found

    def encode(self) -> bytes:
        """Return the columns in marshal's format; equal entries give equal bytes."""
        # Version 2 has no references, which depend on other uses of an object.
        return marshal.dumps(self._columns, 2)

    def paths(self) -> list[str]:
        """Return the path of each entry."""
        return self._paths.split("\0")

    def paths_with(self, text: str) -> list[str]:
        """Return the paths that contain ``text``."""
        return [path for path in self.paths() if text in path] if text in self._paths else []

    def has_kind(self, kind: EntryKind) -> bool:
        """Return whether an entry is of this kind."""
        return any(attributes[0] == kind for attributes in self._columns[1])

    def are_directories(self) -> Iterator[bool]:
        """Yield for each entry whether it is a directory."""
        _, table, numbers, *_ = self._columns
        answers = [attributes[0] == DIRECTORY for attributes in table]
        return map(answers.__getitem__, _numbers(numbers))

    def __iter__(self) -> Iterator[Entry]:
        _, table, numbers, sizes, mtimes, links, digests, offsets = self._columns
        kinds, modes, uids, gids, devices, xattrs = zip(
            *map(table.__getitem__, _numbers(numbers)), strict=True
        )
        rows = zip(
            self.paths(),
            kinds,
            modes,
            uids,
            gids,
            _unpacked(sizes),
            _unpacked(mtimes),
            [links.get(row, "") for row in range(self.size)] if links else [""] * self.size,
            devices,
            xattrs,
            _unpacked_digests(digests),
            _unpacked(offsets),
            strict=True,
        )
        # Bypasses the NamedTuple's own __new__: there may be 10^6 entries.
        make = cast(Callable[[tuple[Any, ...]], Entry], partial(tuple.__new__, Entry))
        return map(make, rows)

    def entry_at(self, row: int, path: str) -> Entry:
        """Return the entry ``row``, which has the ``path``."""
        _, table, numbers, sizes, mtimes, links, digests, offsets = self._columns
        (number,) = struct.unpack_from("<H", numbers, 2 * row)
        kind, mode, uid, gid, device, xattrs = table[number]
        return Entry(
            path,
            kind,
            mode,
            uid,
            gid,
            _number_at(sizes, row),
            _number_at(mtimes, row),
            links.get(row, ""),
            device,
            xattrs,
            _digest_at(digests, row),
            _number_at(offsets, row),
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, EntryColumns):
            return NotImplemented
        return self._columns == other._columns

    def __hash__(self) -> int:
        return hash(self._paths)


def _packed(values: Sequence[int]) -> Numbers:
    try:
        return struct.pack(f"<{len(values)}q", *values)
    except struct.error:  # a time centuries away
        return list(values)


def _unpacked(values: Numbers) -> Sequence[int]:
    return struct.unpack(f"<{len(values) // 8}q", values) if type(values) is bytes else values


def _numbers(values: bytes) -> Sequence[int]:
    return struct.unpack(f"<{len(values) // 2}H", values)


def _number_at(values: Numbers, row: int) -> int:
    if type(values) is bytes:
        return int.from_bytes(values[8 * row : 8 * row + 8], "little", signed=True)
    return values[row]


def _packed_digests(digests: Sequence[str]) -> bytes | list[str]:
    joined = "".join([digest or _NO_DIGEST for digest in digests])
    try:
        packed = bytes.fromhex(joined)
    except ValueError:
        return list(digests)
    whole = packed.hex() == joined and all(len(digest) in (0, _DIGEST) for digest in digests)
    return packed if whole else list(digests)


def _unpacked_digests(digests: bytes | list[str]) -> Sequence[str]:
    if type(digests) is not bytes:
        return cast(list[str], digests)
    text = digests.hex()
    found = [text[start : start + _DIGEST] for start in range(0, len(text), _DIGEST)]
    return ["" if each == _NO_DIGEST else each for each in found]


def _digest_at(digests: bytes | list[str], row: int) -> str:
    if type(digests) is not bytes:
        return cast(list[str], digests)[row]
    digest = digests[32 * row : 32 * row + 32].hex()
    return "" if digest == _NO_DIGEST else digest


def _are_sound(columns: tuple[Any, ...], size: int) -> bool:
    """Return whether all columns have ``size`` values that a layer may have."""
    paths, table, numbers, sizes, mtimes, links, digests, offsets = columns
    return (
        paths.count("\0") == size - 1
        and are_tree_paths(paths)
        and type(table) is list
        and max(_numbers(numbers)) < len(table)
        and all(map(_is_sound, table))
        and all(_are_numbers(each, size) for each in (sizes, mtimes, offsets))
        and _are_links(links, size)
        and _are_digests(digests, size)
    )


def _is_sound(attributes: Any) -> bool:
    kind, mode, uid, gid, device, xattrs = attributes
    return (
        kind in _KINDS
        and 0 <= mode <= 0o7777
        and is_id(uid)
        and is_id(gid)
        and type(device) is tuple
        and (is_device(device) or kind not in (CHARACTER, BLOCK))
        and type(xattrs) is tuple
    )


def _are_numbers(values: Any, size: int) -> bool:
    if type(values) is bytes:
        return len(values) == 8 * size
    return len(values) == size and all(type(each) is int for each in values)


def _are_links(links: Mapping[Any, Any], size: int) -> bool:
    return type(links) is dict and all(
        type(row) is int and 0 <= row < size and type(link) is str for row, link in links.items()
    )


def _are_digests(digests: Any, size: int) -> bool:
    if type(digests) is bytes:
        return len(digests) == 32 * size
    return len(digests) == size and all(type(each) is str for each in digests)
