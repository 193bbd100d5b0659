import marshal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.filesystem.entry import BLOCK, CHARACTER, DIRECTORY, FILE, Entry
from img.domain.filesystem.file_index import CorruptFileIndex, FileIndex


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
        Entry(1, FILE),  # type: ignore[arg-type]
        Entry("a", FILE, uid="0"),  # type: ignore[arg-type]
        Entry("a", FILE, device=(1,)),  # type: ignore[arg-type]
        Entry("a", FILE, device=[0, 0]),  # type: ignore[arg-type]
    ],
)
def test_an_entry_that_no_layer_has_makes_an_index_corrupt(entry: Entry) -> None:
    content = FileIndex.of([Entry("good", FILE), entry]).encode()
    with pytest.raises(CorruptFileIndex):
        FileIndex.decode(content)


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
