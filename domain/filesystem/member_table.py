"""Tables of the members of a layer: parts of a blob that can be decompressed alone."""

import hashlib
import marshal
from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

from img.domain.digest import Digest, InvalidDigest

_MOST_MEMBERS = 1 << 20
_MOST_BYTES = 1 << 62
_DIGEST_SIZE = 32


class Member(NamedTuple):
    """One member: a gzip member or zstd frame, or several of them that another tool wrote."""

    stored: int  # bytes in the blob
    size: int  # bytes of the tar
    # For layers that img packed, else empty: the digest of the entries and of the compressor, and
    # the size of each entry's headers in blocks of 512 bytes.
    key: bytes = b""
    headers: bytes = b""


class CorruptMemberTable(ValueError):
    """A stored table with an error; layers can be read without one."""


class MemberTable:
    """The members of one blob in their order."""

    def __init__(self, blob: Digest, members: Sequence[Member]) -> None:
        self.blob = blob  # other blobs with the same tar have other members
        self.members = tuple(members)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MemberTable):
            return NotImplemented
        return (self.blob, self.members) == (other.blob, other.members)

    def __hash__(self) -> int:
        return hash((self.blob, self.members))

    @cached_property
    def starts(self) -> Sequence[int]:
        """The offset of each member in the tar."""
        return [0, *accumulate(member.size for member in self.members[:-1])]

    @cached_property
    def stored_starts(self) -> Sequence[int]:
        """The offset of each member in the blob."""
        return [0, *accumulate(member.stored for member in self.members[:-1])]

    def number_of(self, offset: int) -> int:
        """Return the number of the member with the byte at ``offset`` of the tar."""
        return max(bisect_right(self.starts, offset) - 1, 0)

    def encode(self) -> bytes:
        """Return the table with its checksum."""
        content = marshal.dumps((str(self.blob), [*map(tuple, self.members)]), 2)
        return hashlib.sha256(content).digest() + content

    @classmethod
    def decode(cls, content: bytes) -> "MemberTable":
        """Return the table that ``encode`` wrote. Raises CorruptMemberTable."""
        checksum, rest = content[:_DIGEST_SIZE], content[_DIGEST_SIZE:]
        if hashlib.sha256(rest).digest() != checksum:
            raise CorruptMemberTable
        try:
            blob, rows = marshal.loads(rest)
            table = cls(Digest.parse(blob), [Member(*row) for row in rows])
        except (ValueError, EOFError, TypeError, AttributeError, InvalidDigest) as error:
            raise CorruptMemberTable from error
        if not 0 < len(table.members) <= _MOST_MEMBERS or not all(map(_is_sound, table.members)):
            raise CorruptMemberTable
        return table


def _is_sound(member: Member) -> bool:
    stored, size, key, headers = member
    return (
        type(stored) is type(size) is int
        and 0 < stored < _MOST_BYTES
        and 0 <= size < _MOST_BYTES
        and type(key) is type(headers) is bytes
        and len(key) in (0, _DIGEST_SIZE)
    )
