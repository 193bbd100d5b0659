"""A tree on demand answers as a tree with all entries."""

from collections.abc import Callable, Sequence
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.filesystem.entry import DIRECTORY, FILE, HARDLINK, SYMLINK, Entry, EntryKind
from img.domain.filesystem.file_index import FileIndex
from img.domain.filesystem.tree import DanglingHardLink, FileTree, TooManyLinks
from img.domain.filesystem.tree_on_demand import tree_of_layer

PATHS = st.lists(st.sampled_from(["a", "b", ".wh.a"]), max_size=3).map("/".join)
KINDS = cast(
    st.SearchStrategy[EntryKind],
    st.sampled_from([FILE, FILE, DIRECTORY, DIRECTORY, DIRECTORY, SYMLINK, HARDLINK]),
)
QUESTIONS: Sequence[Callable[[FileTree, str], object]] = [
    FileTree.get,
    FileTree.is_directory,
    FileTree.layer_of,
    FileTree.inode,
    FileTree.resolve,
    FileTree.names,
    FileTree.linked,
    FileTree.place,
    lambda tree, path: [*tree.walk(path)],
    lambda tree, _: len(tree),
    lambda tree, path: tree.refuse_closed(path, below=True),
    lambda tree, _: tree.linked_files(),
    lambda tree, path: [*tree.with_layer(FileIndex.of([Entry(path, FILE)])).walk("")],
]


def an_entry(path: str, kind: EntryKind, number: int) -> Entry:
    if not path:
        return Entry("", DIRECTORY, 0o700)
    link = ("a", "a/b", "b/../a")[number % 3] if kind in (SYMLINK, HARDLINK) else ""
    return Entry(path, kind, link=link, offset=number * 512 if kind == FILE else -1)


ENTRIES = st.lists(st.tuples(PATHS, KINDS), max_size=8).map(
    lambda rows: [an_entry(*row, number) for number, row in enumerate(rows)]
)
PLAIN = st.lists(st.tuples(PATHS, KINDS), max_size=8).map(lambda rows: in_order(dict(rows)))


def in_order(kinds: dict[str, EntryKind]) -> list[Entry]:
    """Return entries of which most are in directories of the layer."""
    return [
        an_entry(path, DIRECTORY if any(each.startswith(f"{path}/") for each in kinds) else kind, n)
        for n, (path, kind) in enumerate(sorted(kinds.items()))
    ]


@given(ENTRIES | PLAIN, st.lists(st.tuples(st.sampled_from(QUESTIONS), PATHS), max_size=6))
def test_it_answers_as_a_whole_tree(
    entries: list[Entry], asked: list[tuple[Callable[[FileTree, str], object], str]]
) -> None:
    index = FileIndex.of(entries)
    try:
        whole = FileTree.of([index])
    except DanglingHardLink:
        with pytest.raises(DanglingHardLink):
            tree_of_layer(index)
        return
    except TooManyLinks:
        with pytest.raises(TooManyLinks):
            tree_of_layer(index).get("a")
        return
    tree = tree_of_layer(index)
    for question, path in asked:
        assert answer(question, tree, path) == answer(question, whole, path)


def answer(question: Callable[[FileTree, str], object], tree: FileTree, path: str) -> object:
    try:
        return question(tree, path)
    except (DanglingHardLink, TooManyLinks) as error:
        return type(error)


def test_a_lookup_makes_one_entry_of_many() -> None:
    entries = [Entry("d", DIRECTORY), *(Entry(f"d/{n}", FILE, size=n) for n in range(9000))]
    tree = tree_of_layer(FileIndex.of(entries))
    assert (tree.get("d/8765"), tree.get("d/x")) == (Entry("d/8765", FILE, size=8765), None)
    assert tree.resolve("d/../d/1") == "d/1"
    tree.refuse_closed("d/1")
    assert (tree.layer_of("d/1"), tree.inode("d/1")) == (0, None)
    assert "_entries" not in vars(tree)
    assert tree.names("d")[:2] == ["0", "1"]
    assert "_entries" in vars(tree)


@pytest.mark.parametrize(
    "entries",
    [
        [Entry("a/b", FILE)],
        [Entry("a", FILE), Entry("a", DIRECTORY)],
        [Entry("a", SYMLINK, link="b"), Entry("b", DIRECTORY), Entry("a/c", FILE)],
        [Entry("a", FILE), Entry("b", HARDLINK, link="a")],
        [Entry(".wh.a", FILE)],
    ],
)
def test_a_layer_that_changes_its_own_entries_is_applied_at_once(entries: list[Entry]) -> None:
    tree = tree_of_layer(FileIndex.of(entries))
    tree.get("a")
    assert "_entries" in vars(tree)
