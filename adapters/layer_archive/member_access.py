"""Reading of a few files out of a layer of many members."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import BinaryIO, cast

from img.adapters.layer_archive.compression import decompressed
from img.adapters.layer_archive.cuts import LEAST
from img.adapters.layer_archive.stream import Content, TarStream
from img.domain.digest import Digest
from img.domain.filesystem.member_table import Member, MemberTable


class MemberStarts:
    """The members of a layer that is being read; those of less than 1 MiB count as one."""

    def __init__(self) -> None:
        self._starts: list[tuple[int, int]] = []  # in the tar and in the blob
        self._last = (0, 0)  # the last offsets: at the end, those of the end

    def add(self, content: int, stored: int) -> None:
        """Take a note of a member that begins at these offsets, or of the end."""
        self._last = (content, stored)
        if not self._starts or content - self._starts[-1][0] >= LEAST:
            self._starts.append(self._last)

    def table(self, blob: Digest) -> MemberTable | None:
        """Return the table of the blob that was read to its end; None for a single member."""
        starts = [start for start in self._starts if start != self._last]
        if len(starts) < 2:
            return None
        pairs = pairwise([*starts, self._last])
        return MemberTable(blob, [Member(end[1] - at[1], end[0] - at[0]) for at, end in pairs])


def is_sparse(members: MemberTable, wanted: Mapping[int, int]) -> bool:
    """Return whether the files at the offsets are in less than a third of the members.

    More of them are read faster in one pass, in which a thread decompresses ahead.
    """
    touched: set[int] = set()
    for offset, size in wanted.items():
        first, last = members.number_of(offset), members.number_of(offset + size)
        touched.update(range(first, last + 1))
        if len(touched) * 3 > len(members.members):
            return False
    return True


def sparse_contents(
    compressed: BinaryIO, wanted: Mapping[int, int], members: MemberTable
) -> Iterator[tuple[int, BinaryIO]]:
    """Yield the files of LayerArchive.contents; members without one of them are not read.

    Wrong bytes are possible if the table is wrong. Raises InvalidLayer.
    """
    stream: TarStream | None = None
    start = 0  # of the stream, in the tar
    for offset in sorted(wanted):
        number = members.number_of(offset)
        if stream is None or members.starts[number] > start + stream.offset:
            start = members.starts[number]
            compressed.seek(members.stored_starts[number])
            stream = TarStream(decompressed(compressed))
        stream.skip_to(offset - start)
        yield offset, cast(BinaryIO, Content(stream, wanted[offset]))
