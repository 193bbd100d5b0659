"""A few files out of a layer of many members."""

import gzip
import io

import pytest

from img.adapters.layer_archive.member_access import NeededMembers
from img.application.ports.layer_archive import InvalidLayer
from img.domain.digest import Digest
from img.domain.filesystem.member_table import Member, MemberTable

SIZE = 10_000  # bytes of each member
CONTENTS = [bytes([number]) * SIZE for number in range(5)]
STORED = [gzip.compress(content) for content in CONTENTS]
BLOB = b"".join(STORED)
TABLE = MemberTable(Digest.of(BLOB), [Member(len(each), SIZE) for each in STORED])


def read(wanted: dict[int, int], table: MemberTable = TABLE) -> tuple[bytes, list[int]]:
    """Return the stream of the members, and the places of the wanted files in it."""
    needed = NeededMembers(table, wanted)
    stream = b"".join(needed.chunks(io.BytesIO(BLOB)))
    return stream, [needed.place_of(offset) for offset in sorted(wanted)]


@pytest.mark.parametrize(
    ("wanted", "length"),
    [
        ({0: 10}, 10),
        ({500: 10, 100: 20}, 510),
        ({SIZE - 10: 10}, SIZE),
        ({SIZE: 10}, 10),
        ({SIZE - 10: 20}, SIZE + 10),
        ({SIZE + 5: 5, 4 * SIZE + 5: 5}, 20),
        ({5: 2 * SIZE, 3 * SIZE + 1: 1}, 2 * SIZE + 5 + 2),
        ({2 * SIZE - 1: 1, 2 * SIZE + 7: 3}, SIZE + 10),
        ({7: 0}, 7),
        ({5 * SIZE: 0}, SIZE),
        ({}, 0),
    ],
)
def test_each_member_is_read_up_to_its_last_wanted_byte(
    wanted: dict[int, int], length: int
) -> None:
    stream, places = read(wanted)
    tar = b"".join(CONTENTS)
    assert len(stream) == length
    for place, (offset, size) in zip(places, sorted(wanted.items()), strict=True):
        assert stream[place : place + size] == tar[offset : offset + size]


def test_a_table_with_too_many_bytes_is_refused() -> None:
    wrong = MemberTable(TABLE.blob, [*TABLE.members[:-1], Member(len(STORED[-1]), 2 * SIZE)])
    with pytest.raises(InvalidLayer):
        read({4 * SIZE: 2 * SIZE}, wrong)
