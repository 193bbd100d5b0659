"""File indexes: the entries of one layer, in the order of its tar."""

import marshal
from collections.abc import Iterable, Iterator
from dataclasses import field
from itertools import chain, islice
from typing import TYPE_CHECKING, BinaryIO

from img.domain.dataclass import dataclass
from img.domain.errors import StateError
from img.domain.filesystem.entry import Entry

if TYPE_CHECKING:
    from img.domain.filesystem.entry_columns import EntryColumns
    from img.domain.filesystem.member_table import MemberTable

WHITEOUT_PREFIX = ".wh."
OPAQUE_WHITEOUT = ".wh..wh..opq"
_MAGIC = b"img-index-4\n"
_WITH_ROWS = b"img-index-2\n"  # of older versions: a tuple for each entry, no table of members
_WITH_ROWS_AND_MEMBERS = b"img-index-3\n"
_LENGTH = 4  # bytes
_ROWS = 4096  # of the columns of one part
_START = len(_MAGIC) + _LENGTH


class CorruptFileIndex(StateError):
    """A stored index with an error; it can be made again from the layer."""

    def __init__(self) -> None:
        super().__init__("a stored file index is corrupt")


@dataclass(frozen=True, slots=True)
class FileIndex:
    """The entries of one layer, including whiteouts with their ``.wh.`` names.

    It keeps columns. Each iteration makes the entries anew until ``entries`` has kept them.
    """

    columns: "tuple[EntryColumns, ...]"
    # None for layers of one member. Another blob of the same layer has another one.
    members: "MemberTable | None" = field(default=None, compare=False)

    _kept: list[tuple[Entry, ...]] = field(default_factory=list, compare=False, repr=False)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The entries, which are kept, so that all trees of the layer share them."""
        if not self._kept:
            self._kept.append(tuple(chain.from_iterable(self.columns)))
        return self._kept[0]

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._kept[0]) if self._kept else chain.from_iterable(self.columns)

    def __len__(self) -> int:
        return sum(part.size for part in self.columns)

    def paths_with(self, text: str) -> Iterator[str]:
        """Yield the paths that contain ``text``; no entries are made."""
        for part in self.columns:
            yield from part.paths_with(text)

    def encode(self) -> bytes:
        """Return the index as it is stored."""
        return b"".join(self.encoded())

    def encoded(self) -> Iterator[bytes]:
        """Yield the same in parts, which saves memory."""
        table = b"" if self.members is None else self.members.encode()
        yield b"%s%s%s" % (_MAGIC, len(table).to_bytes(_LENGTH, "big"), table)
        for each in self.columns:
            part = each.encode()
            yield len(part).to_bytes(_LENGTH, "big")
            yield part

    @classmethod
    def decode(cls, content: bytes) -> "FileIndex":
        """Return the index that ``encode`` wrote, also in an older version.

        Raises CorruptFileIndex.
        """
        # at first use: a build that is cached needs no entries
        from img.domain.filesystem.entry_columns import EntryColumns

        at, members = _members_in(content)
        parts: Iterator[bytes | memoryview] = _parts(content, at)
        try:
            if not content.startswith(_MAGIC):
                parts = _of_rows(parts)
            return cls(tuple([EntryColumns.decode(part) for part in parts]), members)
        except (ValueError, EOFError, TypeError) as error:
            raise CorruptFileIndex from error

    @classmethod
    def of(cls, entries: Iterable[Entry], members: "MemberTable | None" = None) -> "FileIndex":
        """Return the index of ``entries`` in their order."""
        made = IndexBuilder()
        made.add(entries)
        return made.index(members)


class IndexBuilder:
    """An index of entries that become known one after the other."""

    def __init__(self) -> None:
        from img.domain.filesystem.entry_columns import EntryColumns

        self._made = EntryColumns.of
        self._columns: list[EntryColumns] = []
        self._rest: list[Entry] = []  # of the next columns

    def add(self, entries: Iterable[Entry]) -> None:
        """Append ``entries``."""
        more = iter(entries)
        while True:
            self._rest += islice(more, _ROWS - len(self._rest))
            if len(self._rest) < _ROWS:
                return
            self._end()

    def index(self, members: "MemberTable | None" = None) -> FileIndex:
        """Return the index; no entries are added after it."""
        self._end()
        return FileIndex(tuple(self._columns), members)

    def _end(self) -> None:
        if self._rest:
            self._columns.append(self._made(self._rest))
            self._rest = []


def members_from(file: BinaryIO) -> "MemberTable | None":
    """Return the table at the start of an encoded index, None if it has none or is corrupt."""
    start = file.read(_START)
    try:
        size = _size_of_members(start)
        return _members_in(start + file.read(size))[1] if size else None
    except CorruptFileIndex:
        return None


def _members_in(content: bytes) -> tuple[int, "MemberTable | None"]:
    """Return the offset of the entries, and the table before them. Raises CorruptFileIndex."""
    size = _size_of_members(content[:_START])
    if not size:
        return _START if content.startswith(_MAGIC) else len(_MAGIC), None
    # few indexes have a table
    from img.domain.filesystem.member_table import CorruptMemberTable, MemberTable

    try:
        return _START + size, MemberTable.decode(content[_START : _START + size])
    except CorruptMemberTable as error:
        raise CorruptFileIndex from error


def _size_of_members(start: bytes) -> int:
    if start.startswith(_WITH_ROWS):
        return 0
    if len(start) < _START or not start.startswith((_MAGIC, _WITH_ROWS_AND_MEMBERS)):
        raise CorruptFileIndex
    return int.from_bytes(start[len(_MAGIC) :], "big")


def _parts(content: bytes, at: int) -> Iterator[memoryview]:
    """Yield the parts of an index, which begin ``at`` that offset. Raises CorruptFileIndex."""
    view = memoryview(content)
    while at < len(view):
        start = at + _LENGTH
        at = start + int.from_bytes(view[at:start], "big")
        if at > len(view):
            raise CorruptFileIndex
        yield view[start:at]


def _of_rows(parts: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """Yield the columns of entries that are stored as a tuple each."""
    rows = FileIndex.of(Entry(*row) for part in parts for row in marshal.loads(part))
    return (each.encode() for each in rows.columns)
