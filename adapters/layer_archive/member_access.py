"""Reading of a few files out of a layer of many members."""

from collections.abc import Iterator, Mapping
from itertools import accumulate, pairwise
from typing import BinaryIO

from img.adapters.layer_archive.compression import decompressed
from img.adapters.layer_archive.cuts import LEAST
from img.application.ports.layer_archive import InvalidLayer
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


class NeededMembers:
    """The members of a layer with the wanted files; one stream has their contents in order.

    Of each member it has the bytes up to the last wanted one.
    """

    def __init__(self, members: MemberTable, wanted: Mapping[int, int]) -> None:
        sizes: dict[int, int] = {}  # of the wanted beginnings, by the number of the member
        for offset, size in wanted.items():
            first, last = (members.number_of(at) for at in (offset, offset + max(size - 1, 0)))
            for number in range(first, last):
                sizes[number] = members.members[number].size
            sizes[last] = max(sizes.get(last, 0), offset + size - members.starts[last])
        self._members = members
        self._sizes = dict(sorted(sizes.items()))
        starts = accumulate(self._sizes.values(), initial=0)
        self._starts = dict(zip(self._sizes, starts, strict=False))

    @property
    def are_few(self) -> bool:
        """True for less than a third of the layer: a thread that decompresses ahead reads more."""
        return len(self._sizes) * 3 <= len(self._members.members)

    def place_of(self, offset: int) -> int:
        """Return the place in the stream of the byte at ``offset`` of the tar."""
        number = self._members.number_of(offset)
        return self._starts[number] + offset - self._members.starts[number]

    def chunks(self, compressed: BinaryIO) -> Iterator[bytes]:
        """Yield the contents of the members; others are not read.

        Wrong bytes are possible if the table is wrong. Raises InvalidLayer.
        """
        for first, size in self._runs():
            compressed.seek(self._members.stored_starts[first])
            left = size
            for chunk in decompressed(compressed):
                yield chunk[:left]
                left -= len(chunk)
                if left <= 0:
                    break
            if left > 0:
                raise InvalidLayer("the members of a layer are not as its table says")

    def _runs(self) -> Iterator[tuple[int, int]]:
        """Yield the first number, and the size, of members that are decompressed at once."""
        first = size = end = 0  # ``end`` is the member that would continue the run
        for number, wanted in self._sizes.items():
            if number != end and size:
                yield first, size
                size = 0
            if not size:
                first = number
            size += wanted
            is_whole = wanted == self._members.members[number].size
            end = number + 1 if is_whole else -1
        if size:
            yield first, size
