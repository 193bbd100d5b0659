"""Tables of squashfs, version 4.0 (Linux, Documentation/filesystems/squashfs.rst)."""

import struct
from collections.abc import Callable, Sequence

_BLOCK = 8192  # bytes of a metadata block, uncompressed
_UNCOMPRESSED = 1 << 15
Compress = Callable[[bytes], bytes]


class Metadata:
    """A table of metadata blocks, to which records are appended."""

    def __init__(self, compress: Compress) -> None:
        self._compress = compress
        self._open = bytearray()
        self._blocks: list[bytes] = []
        self.size = 0  # bytes of the finished blocks

    @property
    def place(self) -> tuple[int, int]:
        """The place of the next record: the start of its block in the table, and an offset."""
        return self.size, len(self._open)

    def add(self, record: bytes) -> None:
        """Append a record, which may go on in the next block."""
        self._open += record
        while len(self._open) >= _BLOCK:
            self._finish(bytes(self._open[:_BLOCK]))
            del self._open[:_BLOCK]

    def content(self) -> bytes:
        """Finish the last block and return the table."""
        if self._open:
            self._finish(bytes(self._open))
            self._open.clear()
        return b"".join(self._blocks)

    def _finish(self, plain: bytes) -> None:
        packed = self._compress(plain)
        smaller = len(packed) < len(plain)
        header = len(packed) if smaller else len(plain) | _UNCOMPRESSED
        block = struct.pack("<H", header) + (packed if smaller else plain)
        self._blocks.append(block)
        self.size += len(block)


def lookup_table(records: Sequence[bytes], compress: Compress, at: int) -> tuple[bytes, int]:
    """Return metadata blocks of ``records`` at ``at`` and a list of the blocks, and its place.

    No record may be in two blocks: their size divides that of a block.
    """
    table = Metadata(compress)
    starts: list[int] = []
    for record in records:
        start, offset = table.place
        if offset == 0:
            starts.append(at + start)
        table.add(record)
    blocks = table.content()
    return blocks + struct.pack(f"<{len(starts)}Q", *starts), at + len(blocks)


class Ids:
    """User and group ids, each once."""

    def __init__(self) -> None:
        self._places: dict[int, int] = {}

    def place_of(self, number: int) -> int:
        """Return the place of an id."""
        return self._places.setdefault(number, len(self._places))

    def records(self) -> list[bytes]:
        """Return the ids in their order."""
        return [struct.pack("<I", number) for number in self._places]


class Attributes:
    """Sets of extended attributes, each once."""

    NONE = 0xFFFFFFFF
    _PREFIXES = (("user.", 0), ("trusted.", 1), ("security.", 2))

    def __init__(self, compress: Compress) -> None:
        self._compress = compress
        self._values = Metadata(compress)
        self._places: dict[tuple[tuple[str, bytes], ...], int] = {}
        self._sets: list[bytes] = []

    def place_of(self, xattrs: Sequence[tuple[str, bytes]]) -> int:
        """Return the place of a set, NONE without attributes that the format knows."""
        known = tuple(pair for pair in xattrs if self._kind(pair[0]) is not None)
        if not known:
            return self.NONE
        if known not in self._places:
            block, offset = self._values.place
            records = b"".join(self._record(name, value) for name, value in known)
            self._values.add(records)
            self._sets.append(struct.pack("<QII", block << 16 | offset, len(known), len(records)))
            self._places[known] = len(self._places)
        return self._places[known]

    def content(self, at: int) -> tuple[bytes, int]:
        """Return the tables at ``at``, and the place of the first; no bytes without attributes."""
        if not self._sets:
            return b"", (1 << 64) - 1
        values = self._values.content()
        sets, listed = lookup_table(self._sets, self._compress, at + len(values))
        head = struct.pack("<QII", at, len(self._sets), 0)
        place = listed - at - len(values)  # of the list of blocks, in ``sets``
        return values + sets[:place] + head + sets[place:], listed

    def _kind(self, name: str) -> tuple[int, str] | None:
        for prefix, number in self._PREFIXES:
            if name.startswith(prefix):
                return number, name.removeprefix(prefix)
        return None

    def _record(self, name: str, value: bytes) -> bytes:
        found = self._kind(name)
        assert found is not None
        number, rest = found
        encoded = rest.encode("utf-8", "surrogateescape")
        return (
            struct.pack("<HH", number, len(encoded)) + encoded
            + struct.pack("<I", len(value)) + value
        )  # fmt: skip
