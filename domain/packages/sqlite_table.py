"""A reader of one table of a SQLite database in memory (sqlite.org/fileformat2.html).

rpm's database is a file of the image. SQLite itself would read a hostile file with C code, and
needs the write-ahead log as a file beside it; the format of a table is small enough to be read
here.
"""

from collections.abc import Iterator, Mapping, Sequence

from img.domain.packages.rpm import BadDatabase

_MAGIC = b"SQLite format 3\0"
_HEAD = 100  # bytes, of the database
_INTERIOR, _LEAF = 5, 13  # types of the pages of a table
_LOG_HEAD, _FRAME_HEAD = 32, 24  # bytes
_MOST_DEPTH = 20
_MOST_ROWS = 1_000_000  # a large system has 10,000 packages
_MOST_HEAD = 1 << 16  # bytes; each column has one or a few
_SCHEMA_PAGE = 1

Value = int | str | bytes | None


class SqliteTables:
    """The tables of a database and of its write-ahead log, "" if there is none.

    Raises BadDatabase, as all methods do.
    """

    def __init__(self, database: bytes, log: bytes = b"") -> None:
        if database[:16] != _MAGIC:
            raise BadDatabase("no database of SQLite")
        if len(database) < _HEAD:
            raise BadDatabase("a SQLite database is cut short")
        self._database = database
        size = int.from_bytes(database[16:18], "big")
        self._page_size = 65536 if size == 1 else size
        if self._page_size < 512 or self._page_size & (self._page_size - 1):
            raise BadDatabase("a SQLite database with pages of a strange size")
        self._usable = self._page_size - database[20]
        self._newer = _committed_pages(log, self._page_size)
        self._left = len(database) + len(log)  # bytes of rows: no two of them share a place
        self._rows = 0

    def rows(self, table: str) -> Iterator[Sequence[Value]]:
        """Yield the values of each row of ``table``; an INTEGER PRIMARY KEY is None."""
        for row in self._rows_below(_SCHEMA_PAGE, set(), 0):
            if len(row) > 3 and row[0] == "table" and row[1] == table and isinstance(row[3], int):
                yield from self._rows_below(row[3], set(), 0)
                return
        raise BadDatabase(f"a SQLite database without a table {table}")

    def _page(self, number: int) -> bytes:
        page = self._newer.get(number)
        if page is None:
            start = (number - 1) * self._page_size
            page = self._database[start : start + self._page_size] if number > 0 else b""
        if len(page) != self._page_size:
            raise BadDatabase("a SQLite database is cut short")
        return page

    def _rows_below(self, number: int, seen: set[int], depth: int) -> Iterator[Sequence[Value]]:
        if number in seen or depth > _MOST_DEPTH:
            raise BadDatabase("a SQLite database has a page twice")
        seen.add(number)
        page = self._page(number)
        start = _HEAD if number == _SCHEMA_PAGE else 0
        kind, cells = page[start], _short(page, start + 3)
        pointers = start + (12 if kind == _INTERIOR else 8)
        if kind not in (_INTERIOR, _LEAF) or pointers + 2 * cells > len(page):
            raise BadDatabase("a SQLite database has a damaged page")
        for at in range(pointers, pointers + 2 * cells, 2):
            cell = _short(page, at)
            if kind == _LEAF:
                yield _values(self._payload(page, cell))
            else:
                yield from self._rows_below(_long(page, cell), seen, depth + 1)
        if kind == _INTERIOR:
            yield from self._rows_below(_long(page, start + 8), seen, depth + 1)

    def _payload(self, page: bytes, cell: int) -> bytes:
        """Return the record of a cell ("B-tree Cell Format": table leaf), with overflow pages."""
        length, at = _varint(page, cell)
        _, at = _varint(page, at)  # the row's number
        usable = self._usable
        self._left -= length
        self._rows += 1
        if self._left < 0 or self._rows > _MOST_ROWS:
            raise BadDatabase("a SQLite database has rows larger than itself")
        if length <= usable - 35:
            return page[at : at + length]
        least = (usable - 12) * 32 // 255 - 23
        local = least + (length - least) % (usable - 4)
        local = local if local <= usable - 35 else least
        parts = [page[at : at + local]]
        rest, overflow = length - local, _long(page, at + local)
        while rest > 0:
            page = self._page(overflow)
            parts.append(page[4 : min(usable, 4 + rest)])
            rest -= usable - 4
            overflow = _long(page, 0)
        return b"".join(parts)


def _committed_pages(log: bytes, page_size: int) -> Mapping[int, bytes]:
    """Return the pages of the log's complete transactions ("The Write-Ahead Log").

    The checksums of the frames are verified: frames of an older log may follow the newest ones.
    """
    if len(log) < _LOG_HEAD or log[:4] not in (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83"):
        return {}
    if _long(log, 8) != page_size:
        return {}
    order: str = "big" if log[3] & 1 else "little"
    salts, state = log[16:24], _checksum(log[:24], (0, 0), order)
    if state != (_long(log, 24), _long(log, 28)):
        return {}
    committed: dict[int, bytes] = {}
    pending: dict[int, bytes] = {}
    for at in range(_LOG_HEAD, len(log) - _FRAME_HEAD - page_size + 1, _FRAME_HEAD + page_size):
        page = log[at + _FRAME_HEAD : at + _FRAME_HEAD + page_size]
        state = _checksum(page, _checksum(log[at : at + 8], state, order), order)
        if log[at + 8 : at + 16] != salts or state != (_long(log, at + 16), _long(log, at + 20)):
            break
        pending[_long(log, at)] = page
        if _long(log, at + 4):  # the last frame of a transaction
            committed |= pending
            pending = {}
    return committed


def _checksum(data: bytes, state: tuple[int, int], order: str) -> tuple[int, int]:
    import struct

    first, second = state
    words = struct.unpack(f"{'>' if order == 'big' else '<'}{len(data) // 4}I", data)
    for one, two in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + two + first) & 0xFFFFFFFF
    return first, second


def _values(record: bytes) -> Sequence[Value]:
    """Return the values of a record ("Record Format")."""
    head, at = _varint(record, 0)
    if head > min(len(record), _MOST_HEAD):
        raise BadDatabase("a SQLite database has a damaged row")
    kinds = []
    while at < head:
        kind, at = _varint(record, at)
        kinds.append(kind)
    found: list[Value] = []
    at = head
    for kind in kinds:
        length = _length(kind)
        found.append(_value(record[at : at + length], kind))
        at += length
    return found


def _length(kind: int) -> int:
    if kind >= 12:
        return (kind - 12) // 2
    return (0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0)[kind]


def _value(data: bytes, kind: int) -> Value:
    if kind in (8, 9):
        return kind - 8
    if kind >= 12:
        return data if kind % 2 == 0 else data.decode("utf-8", "replace")
    return int.from_bytes(data, "big", signed=True) if 0 < kind < 7 else None


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at a place, and the place after it."""
    number = 0
    for place in range(at, at + 9):
        if place >= len(data):
            raise BadDatabase("a SQLite database has a damaged row")
        byte = data[place]
        if place == at + 8:
            return number << 8 | byte, place + 1
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            return number, place + 1
    raise AssertionError("the ninth byte ends a number")


def _short(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "big")


def _long(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")
