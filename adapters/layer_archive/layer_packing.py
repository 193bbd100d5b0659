"""Layers that are packed in members, some of which may be copied from an older layer."""

import hashlib
import marshal
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from img.adapters.layer_archive import header
from img.adapters.layer_archive.compressing import CompressedBlob
from img.adapters.layer_archive.cuts import RULE, begins_member, room_of
from img.adapters.layer_archive.packing import SECOND, TarWriter
from img.adapters.linux.buffers import CHUNK
from img.application.ports.layer_archive import FormerLayer, InvalidLayer, PackedEntry
from img.domain.digest import Digest
from img.domain.filesystem.entry import FILE, SOCKET, Entry
from img.domain.filesystem.file_index import FileIndex, IndexBuilder
from img.domain.filesystem.member_table import Member, MemberTable
from img.domain.oci.compression import USUAL, Compression

_END = 2 * header.BLOCK
_NO_CONTENT = hashlib.sha256().hexdigest()
_MOST_BLOCKS = 255  # of the headers of one entry, in a table

Row = tuple[object, ...]
"""The fields of an Entry of a layer up to its digest."""


class LayerPacker:
    """A layer that is being written, with notes of its members."""

    def __init__(
        self, content: CompressedBlob, compression: Compression, epoch: int | None
    ) -> None:
        self._content = content
        self._is_usual = compression == USUAL  # others are written once, and not packed again
        self._has_members = compression.algorithm.has_members
        self._epoch = epoch
        self._writer = TarWriter(content.write, self._cut if self._has_members else None, epoch)
        self._start = 0  # of the current member, in the tar
        self._notes: list[tuple[int, bytes, bytes]] = []  # size, key, headers of ended members
        self._is_copied = False  # the current member, which has ended
        self._index = IndexBuilder()  # of the entries of ended members

    def pack(self, entries: Iterable[PackedEntry]) -> None:
        """Write ``entries`` and the end of the tar. Raises ContextFileChanged, InvalidLayer."""
        self._writer.add(entries)
        self._finish()

    def pack_again(self, entries: Iterable[PackedEntry], former: FormerLayer) -> None:
        """Do the same, and copy each member that ``former`` has with the same entries.

        ``open`` of their entries is not called. Raises also BlobDamaged.
        """
        members = _FormerMembers(former)
        for group, is_last in _groups(entries):
            rows = self._rows(group)
            found = members.find(_key(rows, is_last)) if rows is not None else None
            if rows is None or found is None or not self._copied(rows, is_last, found, members):
                self._writer.add(group)
        self._finish()
        members.check()

    def index(self, blob: Digest) -> FileIndex:
        """Return the entries as they are in the layer, which is stored as ``blob``."""
        return self._index.index(self._table(blob))

    def _table(self, blob: Digest) -> MemberTable | None:
        """Return the members of the layer, None for a single one."""
        if len(self._notes) < 2:
            return None
        pairs = zip(self._content.stored, self._notes, strict=True)
        return MemberTable(blob, [Member(stored, *note) for stored, note in pairs])

    def _finish(self) -> None:
        if not self._is_copied:
            self._writer.finish()
            self._note(is_last=True)
        self._index.add(self._writer.entries)

    def _cut(self) -> None:
        if not self._is_copied:
            self._note(is_last=False)
            self._content.cut()
        self._is_copied = False
        self._start = self._writer.offset
        self._index.add(self._writer.entries)

    def _note(self, *, is_last: bool) -> None:
        writer = self._writer
        key = headers = b""
        if self._is_usual and (self._notes or not is_last):
            rows = [entry[:11] for entry in writer.entries]
            key = _key(rows, is_last)
            headers = bytes(min(size >> 9, _MOST_BLOCKS) for size in writer.headers)
        self._notes.append((writer.offset - self._start, key, headers))

    def _rows(self, group: Sequence[PackedEntry]) -> list[Row] | None:
        """Return the entries as they will be in the layer, None if some content is unknown."""
        latest = None if self._epoch is None else self._epoch * SECOND
        rows: list[Row] = []
        for packed in group:
            entry = packed[0]
            mtime = entry[6] - entry[6] % SECOND
            if latest is not None and mtime > latest:
                mtime = latest
            digest = ""
            if entry[1] == FILE:
                digest = entry[10] if entry[5] else _NO_CONTENT
                if not digest:
                    return None
            rows.append((*entry[:6], mtime, *entry[7:10], digest))
        return rows

    def _copied(
        self, rows: Sequence[Row], is_last: bool, number: int, members: "_FormerMembers"
    ) -> bool:
        """Append the member ``number`` with the entries ``rows``, unless its table is unsound."""
        member = members.table.members[number]
        writer = self._writer
        at = writer.offset
        made: list[Entry] = []
        room = 0
        for row, blocks in zip(rows, member.headers, strict=False):
            at += blocks << 9
            size = row[5] if row[1] == FILE else 0
            assert isinstance(size, int)
            made.append(tuple.__new__(Entry, (*row, at if row[1] == FILE else -1)))
            at += (size + 511) & ~511
            room += room_of(size)
        end = at + _END if is_last else at
        if len(member.headers) != len(rows) or end - writer.offset != member.size:
            return False
        if self._notes or writer.entries:
            writer.cut()
        self._content.copy(members.pieces(number), member.size)
        writer.skip(made, member.size, room)
        self._notes.append((member.size, member.key, member.headers))
        self._is_copied = True
        return True


def _groups(entries: Iterable[PackedEntry]) -> Iterator[tuple[list[PackedEntry], bool]]:
    """Yield the entries of each member, and whether it is the last one."""
    group: list[PackedEntry] = []
    total = 0
    for packed in entries:
        entry = packed[0]
        if entry[1] == SOCKET:
            continue
        room = room_of(entry[5] if entry[1] == FILE else 0)
        if begins_member(total, room, entry[0]):
            yield group, False
            group, total = [], 0
        group.append(packed)
        total += room
    yield group, True


class _FormerMembers:
    """The members of an older layer, which is read once from its start to its end."""

    def __init__(self, former: FormerLayer) -> None:
        self.table = former.members
        self._blob = former.blob
        self._numbers = {
            member.key: number for number, member in enumerate(self.table.members) if member.key
        }
        self._at = 0

    def find(self, key: bytes) -> int | None:
        """Return the number of the member with the key, None if there is none ahead."""
        number = self._numbers.get(key)
        if number is None or self.table.stored_starts[number] < self._at:
            return None
        return number

    def pieces(self, number: int) -> Iterator[bytes]:
        """Yield the bytes of a member."""
        start = self.table.stored_starts[number]
        for _ in self._read(start - self._at):
            pass
        yield from self._read(self.table.members[number].stored)

    def check(self) -> None:
        """Read the rest. Raises BlobDamaged if the blob has changed."""
        while self._at and self._blob.read(CHUNK):
            pass

    def _read(self, size: int) -> Iterator[bytes]:
        while size:
            piece = self._blob.read(min(size, CHUNK))
            if not piece:
                raise InvalidLayer("a layer ends before the last member of its table")
            size -= len(piece)
            self._at += len(piece)
            yield piece


def _key(rows: Sequence[Row], is_last: bool) -> bytes:
    """Return the digest of a member's entries and of all else that its bytes depend on."""
    from isal import __version__

    content: Any = (RULE, __version__, is_last, rows)
    # Version 2 of the format has no references, so equal rows have equal bytes.
    return hashlib.sha256(marshal.dumps(content, 2)).digest()
