"""Tables of members."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.digest import Digest
from img.domain.filesystem.member_table import CorruptMemberTable, Member, MemberTable

TABLE = MemberTable(
    Digest.of(b"blob"), [Member(10, 100), Member(20, 200, b"k" * 32, b"\1\1"), Member(5, 50)]
)


def test_a_table_comes_back_as_it_was() -> None:
    assert MemberTable.decode(TABLE.encode()) == TABLE


def test_the_member_of_an_offset_is_found() -> None:
    assert [TABLE.number_of(offset) for offset in (0, 99, 100, 299, 300, 10**9)] == [
        0,
        0,
        1,
        1,
        2,
        2,
    ]
    assert (TABLE.starts, TABLE.stored_starts) == ([0, 100, 300], [0, 10, 30])


@given(st.integers(0, len(TABLE.encode()) - 1), st.integers(1, 255))
def test_any_changed_byte_is_detected(at: int, difference: int) -> None:
    content = bytearray(TABLE.encode())
    content[at] ^= difference
    with pytest.raises(CorruptMemberTable):
        MemberTable.decode(bytes(content))


@pytest.mark.parametrize(
    "members",
    [
        [],
        [Member(0, 1)],
        [Member(1, -1)],
        [Member(1 << 62, 1)],
        [Member(True, 1)],
        [Member("1", 1)],  # type: ignore[arg-type]
        [Member(1, 1, b"short")],
        [Member(1, 1, b"", "text")],  # type: ignore[arg-type]
    ],
    ids=repr,
)
def test_impossible_members_are_refused(members: list[Member]) -> None:
    with pytest.raises(CorruptMemberTable):
        MemberTable.decode(MemberTable(Digest.of(b""), members).encode())
