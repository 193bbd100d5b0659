import io
import marshal
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.digest import Digest
from img.domain.filesystem.entry import BLOCK, CHARACTER, DIRECTORY, FILE, SYMLINK, Entry
from img.domain.filesystem.file_index import CorruptFileIndex, FileIndex, members_from
from img.domain.filesystem.member_table import Member, MemberTable
from img.domain.filesystem.tree import FileTree


def test_an_index_is_read_as_it_was_written() -> None:
    index = FileIndex.of(
        [
            Entry("", DIRECTORY),
            Entry("a/.wh..wh..opq", FILE),
            Entry("a/..b", FILE, 0o4755, 2**32 - 2, 1, 5, -1, "", (0, 0), (("user.a", b"\0"),)),
            Entry("a/\udcff", CHARACTER, device=(4095, 2**20 - 1)),
        ]
    )
    assert FileIndex.decode(index.encode()) == index
    assert FileIndex.decode(FileIndex.of([]).encode()) == FileIndex.of([])


@pytest.mark.parametrize(
    "entry",
    [
        Entry("..", FILE),
        Entry("../x", FILE),
        Entry("a/../../x", FILE),
        Entry("/etc/passwd", FILE),
        Entry("a//b", FILE),
        Entry("a/", FILE),
        Entry("a\0b", FILE),
        Entry(".", DIRECTORY),
        Entry("a", "?"),  # type: ignore[arg-type]
        Entry("a", FILE, 0o10000),
        Entry("a", FILE, uid=-1),
        Entry("a", FILE, gid=2**32 - 1),
        Entry("a", CHARACTER, device=(4096, 0)),
        Entry("a", BLOCK, device=(0, -1)),
        Entry("a", FILE, uid="0"),  # type: ignore[arg-type]
        Entry("a", FILE, device=(1,)),  # type: ignore[arg-type]
    ],
)
def test_an_entry_that_no_layer_has_makes_an_index_corrupt(entry: Entry) -> None:
    entries = [Entry("good", FILE), entry]
    for content in (FileIndex.of(entries).encode(), with_rows(entries)):
        with pytest.raises(CorruptFileIndex):
            FileIndex.decode(content)


def test_many_entries_are_read_as_they_were_written() -> None:
    digest = "0123456789abcdef" * 4
    entries = [
        Entry(f"{number:05}", FILE, size=number, digest=digest[1:] + "7", offset=number * 512)
        for number in range(10_000)
    ]
    index = FileIndex.of(entries)
    assert len(index) == 10_000
    assert [*FileIndex.decode(index.encode())] == entries
    assert len(index.encode()) < 10_000 * 80


def test_two_trees_share_the_entries_of_an_index() -> None:
    index = FileIndex.of([Entry("a", FILE, size=1000)])
    assert FileTree.of([index]).get("a") is FileTree().with_layer(index).get("a")
    assert [*index] == [*index.entries]


@pytest.mark.parametrize(
    "entry",
    [
        Entry("a", FILE, mtime=-(2**70), size=2**80, offset=2**65),
        Entry("a", FILE, digest="short"),
        Entry("a", FILE, digest="AB" * 32),
        Entry("a", FILE, digest="a " * 32),
        Entry("a", FILE, digest="x" * 64),
        Entry("a", SYMLINK, link="b\0c\udcff"),
    ],
)
def test_unusual_values_are_read_as_they_were_written(entry: Entry) -> None:
    entries = [Entry("", DIRECTORY), entry, Entry("z", FILE, digest="ab" * 32)]
    assert [*FileIndex.decode(FileIndex.of(entries).encode())] == entries


def test_an_index_of_an_older_version_is_read() -> None:
    index = FileIndex.of(
        [Entry("a", DIRECTORY), Entry("a/b", FILE, size=3, digest="ab" * 32, offset=1024)],
        MemberTable(Digest.of(b"blob"), [Member(10, 2048), Member(20, 4096)]),
    )
    for members in (None, index.members):
        content = with_rows([*index], members)
        old = FileIndex.decode(content)
        assert (old, old.members) == (index, members)
        assert members_from(io.BytesIO(content)) == members


def with_rows(entries: Sequence[Entry], members: MemberTable | None = None) -> bytes:
    """Return an index as img stored it before there were columns."""
    start = b"img-index-2\n"
    if members is not None:
        table = members.encode()
        start = b"img-index-3\n" + len(table).to_bytes(4, "big") + table
    part = marshal.dumps([tuple(entry) for entry in entries], 4)
    return start + len(part).to_bytes(4, "big") + part


@given(st.lists(st.lists(st.text(max_size=3) | st.integers() | st.none(), max_size=13).map(tuple)))
def test_whatever_the_file_holds_it_is_an_index_or_corrupt(
    rows: list[tuple[str | int | None, ...]],
) -> None:
    part = marshal.dumps(rows, 4)
    try:
        index = FileIndex.decode(b"img-index-2\n" + len(part).to_bytes(4, "big") + part)
    except CorruptFileIndex:
        return
    assert len(index) == len(rows)


WRONG = [None, -1, b"", b"\1" * 7, "", "a\0b", (), [None], {0: 1}, {"": ""}, {5: "a"}]


@given(st.integers(0, 7), st.sampled_from(WRONG) | st.binary(max_size=20) | st.text(max_size=5))
def test_other_columns_make_an_index_or_are_corrupt(number: int, column: object) -> None:
    entries = FileIndex.of([Entry("a", DIRECTORY), Entry("a/b", FILE, digest="ab" * 32)])
    columns = [*marshal.loads(entries.columns[0].encode())]
    columns[number] = column
    part = marshal.dumps(tuple(columns), 2)
    try:
        index = FileIndex.decode(b"img-index-4\n" + bytes(4) + len(part).to_bytes(4, "big") + part)
    except CorruptFileIndex:
        return
    assert len([*index]) == len(index) == 2
    assert [*index] == [
        index.columns[0].entry_at(row, path) for row, path in enumerate(each.path for each in index)
    ]
