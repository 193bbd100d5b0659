"""Layers' indexes, merged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.filesystem.entry import (
    BLOCK,
    CHARACTER,
    DIRECTORY,
    FIFO,
    FILE,
    HARDLINK,
    SYMLINK,
    Entry,
    EntryKind,
)
from img.domain.filesystem.file_index import FileIndex
from img.domain.filesystem.tree import ClosedDirectory, DanglingHardLink, FileTree, TooManyLinks


def a_file(path: str, size: int = 0, offset: int = 512) -> Entry:
    return Entry(path, FILE, size=size, offset=offset)


def a_directory(path: str, mode: int = 0o755) -> Entry:
    return Entry(path, DIRECTORY, mode)


def a_link(path: str, target: str) -> Entry:
    return Entry(path, SYMLINK, 0o777, link=target)


def tree_of(*layers: list[Entry]) -> FileTree:
    return FileTree.of(FileIndex.of(layer) for layer in layers)


def paths_of(tree: FileTree) -> list[str]:
    return [entry.path for entry in tree.walk("")][1:]


def test_an_empty_tree_has_a_root() -> None:
    tree = FileTree.of([])
    assert tree.get("") == Entry("", DIRECTORY, 0o755)
    assert tree.is_directory("")
    assert len(tree) == 0


def test_a_layer_may_say_what_the_root_is() -> None:
    assert tree_of([Entry("", DIRECTORY, 0o700, uid=7)]).get("") == Entry("", DIRECTORY, 0o700, 7)


def test_upper_entries_replace_lower_ones() -> None:
    tree = tree_of([a_file("f", 1)], [a_file("f", 2)])
    found = tree.get("f")
    assert found is not None
    assert (found.size, tree.layer_of("f")) == (2, 1)


def test_a_directory_over_a_directory_keeps_what_is_in_it() -> None:
    tree = tree_of([a_directory("d"), a_file("d/f")], [a_directory("d", 0o700)])
    assert paths_of(tree) == ["d", "d/f"]
    assert tree.get("d") == a_directory("d", 0o700)


def test_whatever_else_meets_is_replaced_with_all_below() -> None:
    tree = tree_of([a_directory("d"), a_file("d/f"), a_file("g")], [a_file("d"), a_file("g/x")])
    assert paths_of(tree) == ["d", "g", "g/x"]
    assert not tree.is_directory("d")


def test_missing_parents_are_implied() -> None:
    tree = tree_of([a_file("a/b/c")])
    assert tree.get("a") == a_directory("a")
    assert paths_of(tree) == ["a", "a/b", "a/b/c"]


def test_whiteouts_hide_lower_layers_only() -> None:
    lower = [a_directory("d"), a_file("d/f"), a_file("d/g")]
    upper = [a_file("d/f", 3), Entry("d/.wh.f", FILE), Entry("d/.wh.g", FILE)]
    tree = tree_of(lower, upper)
    assert paths_of(tree) == ["d", "d/f"]
    assert tree.layer_of("d/f") == 1


def test_opaque_whiteouts_hide_all_siblings_below() -> None:
    tree = tree_of(
        [a_directory("d"), a_file("d/f"), a_file("d/s/x")],
        [a_file("d/new"), Entry("d/.wh..wh..opq", FILE)],
    )
    assert paths_of(tree) == ["d", "d/new"]
    assert paths_of(tree_of([a_file("f")], [Entry(".wh..wh..opq", FILE)])) == []


def test_a_whiteout_of_nothing_is_harmless() -> None:
    assert paths_of(tree_of([Entry("a/.wh.b", FILE), Entry(".wh.c", FILE)])) == []


def test_entries_land_where_links_of_lower_layers_lead() -> None:
    tree = tree_of([a_directory("usr/bin"), a_link("bin", "usr/bin")], [a_file("bin/sh")])
    assert tree.get("usr/bin/sh") == a_file("usr/bin/sh")
    assert tree.get("bin/sh") is None
    assert tree.place("bin/x") == "usr/bin/x"


def test_whiteouts_hide_where_links_lead() -> None:
    tree = tree_of([a_file("usr/bin/sh"), a_link("bin", "usr/bin")], [Entry("bin/.wh.sh", FILE)])
    assert paths_of(tree) == ["bin", "usr", "usr/bin"]


def test_links_stay_inside() -> None:
    tree = tree_of([a_directory("a"), a_link("a/up", "../../../etc"), a_link("abs", "/a")])
    assert tree.resolve("a/up") == "etc"
    assert tree.resolve("a/up", follow=False) == "a/up"
    assert tree.resolve("abs/up/passwd") == "etc/passwd"
    assert tree.resolve("missing/x/../y") == "missing/y"


def test_links_in_a_circle_are_refused() -> None:
    tree = tree_of([a_link("a", "b"), a_link("b", "a")])
    with pytest.raises(TooManyLinks) as refusal:
        tree.resolve("/a/x/")
    assert refusal.value.message == "too many levels of symbolic links at /a/x"
    assert refusal.value.exit_code == 4  # of a step


def test_hard_links_are_the_file_they_are() -> None:
    tree = tree_of([a_file("a", 5)], [Entry("b", HARDLINK, link="a")])
    assert tree.get("b") == a_file("b", 5)
    assert tree.layer_of("b") == 0
    assert tree.inode("b") == tree.inode("a")
    assert tree.linked("a") == tree.linked("b") == {"a", "b"}


def test_a_hard_link_to_nothing_is_refused() -> None:
    with pytest.raises(DanglingHardLink):
        tree_of([Entry("b", HARDLINK, link="a")])


def test_a_file_has_the_names_it_was_left_with() -> None:
    names = [a_file("a"), *(Entry(name, HARDLINK, link="a") for name in ("b", "d/c", "e"))]
    tree = tree_of(names, [Entry(".wh.d", FILE), a_file("e", 1)])
    assert tree.linked("a") == {"a", "b"}
    assert tree.linked("e") == {"e"}
    assert tree.linked_files() == [{"a", "b"}]


def test_a_file_without_other_names_is_linked_to_itself() -> None:
    tree = tree_of([a_file("a")])
    assert tree.linked("a") == {"a"}
    assert tree.linked_files() == []


@pytest.mark.parametrize("kind", [SYMLINK, FIFO, CHARACTER, BLOCK])
def test_a_file_of_any_kind_may_have_several_names(kind: EntryKind) -> None:
    names = [Entry("p", kind), Entry("q", HARDLINK, link="p"), Entry("r", HARDLINK, link="p")]
    tree = tree_of(names, [Entry(".wh.p", FILE)])
    assert tree.linked("q") == {"q", "r"}
    assert tree.linked_files() == [{"q", "r"}]
    assert tree_of(names, [Entry(f".wh.{name}", FILE) for name in "pq"]).once_linked_files() == [
        {"r"}
    ]


def test_a_name_may_move_from_one_file_to_another() -> None:
    tree = tree_of(
        [a_file("a"), Entry("b", HARDLINK, link="a"), a_file("x"), Entry("y", HARDLINK, link="x")],
        [a_file("x", 9), Entry("b", HARDLINK, link="x")],
    )
    assert tree.linked("b") == {"b", "x"}
    assert tree.linked("a") == {"a"}
    assert tree.linked("y") == {"y"}


def test_one_more_layer_leaves_the_tree_below_as_it_is() -> None:
    below = tree_of([a_file("d/a"), Entry("d/b", HARDLINK, link="d/a")])
    above = below.with_layer(FileIndex.of([Entry("d/.wh.b", FILE), a_file("c")]))
    assert paths_of(below) == ["d", "d/a", "d/b"]
    assert below.linked("d/a") == {"d/a", "d/b"}
    assert paths_of(above) == ["c", "d", "d/a"]
    assert above.linked("d/a") == {"d/a"}


def test_one_more_layer_is_the_same_as_all_at_once() -> None:
    layers = [FileIndex.of([a_file("a"), a_file("d/x")]), FileIndex.of([Entry(".wh.d", FILE)])]
    stepwise = FileTree.of(layers[:1]).with_layer(layers[1])
    assert list(stepwise.walk("")) == list(FileTree.of(layers).walk(""))


def test_trees_on_one_another_share_no_names_they_change() -> None:
    base = tree_of([a_file("d/a"), a_file("e/f/g")])
    first = base.with_layer(FileIndex.of([a_file("d/b"), Entry("e/.wh.f", FILE)]))
    second = first.with_layer(
        FileIndex.of([a_file("d/c"), Entry("d/.wh.a", FILE), a_file("e/f/h")])
    )
    other = first.with_layer(FileIndex.of([a_directory("e/f"), a_file("d/a/x")]))

    assert paths_of(base) == ["d", "d/a", "e", "e/f", "e/f/g"]
    assert paths_of(first) == ["d", "d/a", "d/b", "e"]
    assert paths_of(second) == ["d", "d/b", "d/c", "e", "e/f", "e/f/h"]
    assert paths_of(other) == ["d", "d/a", "d/a/x", "d/b", "e", "e/f"]


_PATHS = st.lists(st.sampled_from(("a", "b", "a-", "a.")), max_size=3).map("/".join)


@given(st.sets(_PATHS, max_size=4), _PATHS, st.booleans())
def test_closed_directories_refuse_what_is_in_them_and_what_they_are_in(
    closed: set[str], path: str, below: bool
) -> None:
    tree = FileTree.of_files([], dict.fromkeys(closed, "closed"))

    def holds(outer: str, inner: str) -> bool:
        return not outer or f"{inner}/".startswith(f"{outer}/")

    refused = {each for each in closed if holds(each, path) or (below and holds(path, each))}
    if refused:
        with pytest.raises(ClosedDirectory) as raised:
            tree.refuse_closed(path, below=below)
        assert raised.value.path in refused
    else:
        tree.refuse_closed(path, below=below)
