"""COPY's rules, one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.dockerfile.file_mode import FileMode, parse_file_mode
from img.domain.filesystem.entry import DIRECTORY, FILE, SYMLINK, Entry
from img.domain.filesystem.file_index import FileIndex
from img.domain.filesystem.file_name import FileName
from img.domain.filesystem.selection import (
    CopyRules,
    InlineText,
    Selection,
    select_apart,
)
from img.domain.filesystem.source_match import SourceNotFound
from img.domain.filesystem.target import IsADirectory, NotADirectory
from img.domain.filesystem.tree import FileTree
from tests.unit.domain.filesystem.copies import a_tree, copy, matching, shown


def test_a_file_takes_the_name_of_the_destination() -> None:
    assert shown(copy(a_tree("f"), "f", to="/g")) == ["g <- f"]


def test_a_file_goes_into_a_destination_with_a_slash() -> None:
    assert shown(copy(a_tree("d/f"), "d/f", to="/x/y/")) == ["x/", "x/y/", "x/y/f <- d/f"]


def test_a_dot_at_the_end_means_a_directory_too() -> None:
    assert shown(copy(a_tree("f"), "f", to="/x/.")) == ["x/", "x/f <- f"]


def test_a_file_goes_into_a_destination_that_is_a_directory() -> None:
    assert shown(copy(a_tree("f"), "f", to="/x", onto=a_tree("x/"))) == ["x/", "x/f <- f"]


def test_a_file_replaces_a_file() -> None:
    assert shown(copy(a_tree("f"), "f", to="/x", onto=a_tree("x"))) == ["x <- f"]


def test_parents_that_exist_are_written_as_they_are() -> None:
    there = Entry("a", DIRECTORY, 0o1777, 7, 8, mtime=5, xattrs=(("user.x", b"y"),))
    onto = FileTree.of([FileIndex.of([there])])
    selection = copy(a_tree("f"), "f", to="/a/b/f", onto=onto)
    assert shown(selection) == ["a/", "a/b/", "a/b/f <- f"]
    assert selection.items[0].entry == there


def test_made_directories_are_0755_and_roots_with_the_given_mtime() -> None:
    (made, _) = copy(a_tree("f"), "f", to="/x/", mtime=99).items
    assert made == (None, Entry("x", DIRECTORY, 0o755, mtime=99), "")


@pytest.mark.parametrize(("owner", "ids"), [(None, (0, 33)), ((7, 8), (7, 8))])
def test_directories_made_below_a_set_group_id_directory_inherit(
    owner: tuple[int, int] | None, ids: tuple[int, int]
) -> None:
    onto = FileTree.of([FileIndex.of([Entry("p", DIRECTORY, 0o2775, 0, 33)])])
    source = a_tree("d/f", "d/s/")

    items = copy(source, "d", to="/p/a/b", onto=onto, owner=owner).items

    found = {item.entry.path: item.entry for item in items}
    for path in ("p/a", "p/a/b"):
        assert (found[path].mode, found[path].uid, found[path].gid) == (0o2755, *ids)
    assert (found["p/a/b/s"].mode, found["p/a/b/s"].gid) == (0o755, owner[1] if owner else 0)


def test_a_directory_gives_its_contents_not_itself() -> None:
    source = a_tree("d/", "d/f", "d/sub/", "d/sub/g", "other")
    assert shown(copy(source, "d", to="/x")) == ["x/", "x/f <- d/f", "x/sub/", "x/sub/g <- d/sub/g"]


def test_the_root_of_the_source_gives_all() -> None:
    assert shown(copy(a_tree("a", "d/b"), "", to="/")) == ["a <- a", "d/", "d/b <- d/b"]


def test_the_destination_keeps_its_metadata_when_a_directory_is_copied_onto_it() -> None:
    source = FileTree.of([FileIndex.of([Entry("d", DIRECTORY, 0o700), Entry("d/f", FILE)])])
    assert shown(copy(source, "d", to="/x", onto=a_tree("x/"))) == ["x/", "x/f <- d/f"]
    assert copy(source, "d", to="/x").items[0].entry.mode == 0o755


def test_directories_below_take_the_sources_metadata() -> None:
    source = FileTree.of(
        [FileIndex.of([Entry("d", DIRECTORY), Entry("d/s", DIRECTORY, 0o700, 5, 6)])]
    )
    _, item = copy(source, "d", to="/x", onto=a_tree("x/", "x/s/")).items
    assert (item.entry.path, item.entry.mode, item.entry.uid, item.entry.gid) == (
        "x/s",
        0o700,
        5,
        6,
    )


def test_mtimes_of_files_are_kept() -> None:
    assert copy(a_tree("f"), "f", to="/g").items[0].entry.mtime == 5


def test_a_made_destination_of_a_directory_has_the_directorys_mtime() -> None:
    assert copy(a_tree("d/", "d/f"), "d", to="/x").items[0].entry.mtime == 7


def test_a_missing_source_is_an_error_that_names_it_and_the_nearest_name() -> None:
    with pytest.raises(SourceNotFound) as caught:
        copy(a_tree("app/main.py"), "app/mian.py", to="/x/")
    assert caught.value.message == '"/app/mian.py": not found'
    assert caught.value.hint == "did you mean /app/main.py?"


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("out", "/out is a link to ../d, and there is no /d"),
        ("app/in/x", "/app/in is a link to gone, and there is no /app/gone"),
    ],
)
def test_a_missing_source_behind_a_link_is_an_error_that_names_the_link(
    source: str, hint: str
) -> None:
    with pytest.raises(SourceNotFound) as caught:
        copy(a_tree("out->../d", "app/in->gone", "app/main.py"), source, to="/x/")
    assert caught.value.hint == hint


def test_of_several_files_for_one_name_the_last_is_there() -> None:
    source = a_tree("a", "b", "f1", "f2")
    assert shown(copy(source, "a", "b", to="/x")) == ["x <- b"]
    assert shown(copy(source, "b", "a", to="/x")) == ["x <- a"]
    assert shown(copy(source, "f*", to="/x/y")) == ["x/", "x/y <- f2"]


def test_of_several_here_documents_for_one_name_the_last_is_there() -> None:
    texts = (InlineText(FileName("A"), b"a"), InlineText(FileName("B"), b"b"))
    (item,) = copy(a_tree("f"), "f", to="/x", inline=texts).items
    assert (item.entry.path, item.member) == ("x", "B")


def test_a_directory_and_a_file_share_a_destination_without_a_slash() -> None:
    assert shown(copy(a_tree("d/f", "g"), "d", "g", to="/x")) == ["x/", "x/f <- d/f", "x/g <- g"]


def test_later_sources_replace_earlier_ones() -> None:
    assert shown(copy(a_tree("a/f", "b/f"), "a", "b", to="/x")) == ["x/", "x/f <- b/f"]


def test_a_directory_does_not_replace_a_file() -> None:
    with pytest.raises(NotADirectory, match="cannot copy to non-directory: /etc/passwd"):
        copy(a_tree("d/x"), "d", to="/etc/passwd", onto=a_tree("etc/passwd"))


def test_a_directory_does_not_replace_a_link_to_a_directory() -> None:
    with pytest.raises(NotADirectory, match="/x/s"):
        copy(a_tree("d/s/f"), "d", to="/x", onto=a_tree("x/s->/y", "y/"))


def test_a_file_does_not_replace_a_directory() -> None:
    with pytest.raises(IsADirectory, match="/x/f"):
        copy(a_tree("d/f"), "d", to="/x", onto=a_tree("x/f/"))


def test_nothing_goes_below_a_file() -> None:
    with pytest.raises(NotADirectory, match="/f"):
        copy(a_tree("a"), "a", to="/f/a", onto=a_tree("f"))


def test_an_owner_is_given_to_all_that_is_written() -> None:
    items = copy(a_tree("d/f", "d/l->f"), "d", to="/a/b", owner=(5, 6)).items
    assert {(item.entry.uid, item.entry.gid) for item in items} == {(5, 6)}


def test_a_mode_is_given_to_all_that_is_written_but_links() -> None:
    source = a_tree("d/s/f", "d/s/l->f")
    items = copy(
        source, "d", to="/x", mode=lambda mode, is_dir: mode & 0o711 if is_dir else 0o600
    ).items
    assert [item.entry.mode for item in items] == [0o755, 0o711, 0o600, 0o777]


def changed_copy(mode: FileMode, source: FileTree, name: str, *, to: str) -> Selection:
    return copy(source, name, to=to, mode=mode.apply, made_mode=mode.of_made_directories)


MODES = st.integers(0, 0o7777).map(lambda mode: f"{mode:o}") | st.lists(
    st.tuples(
        st.text("ugoa", max_size=2),
        st.sampled_from("+-="),
        st.text("rwxXst", max_size=3) | st.sampled_from("ugo"),
    ).map("".join),
    min_size=1,
).map(",".join)


@given(MODES)
def test_directories_on_the_way_have_an_octal_mode_without_its_upper_bits_or_0755(
    text: str,
) -> None:
    mode = parse_file_mode(text)
    source = a_tree("d/s/f", "g")
    made = int(text, 8) & 0o777 if text.isdigit() else 0o755

    for selection in (
        changed_copy(mode, source, "g", to="/a/b/g"),
        changed_copy(mode, source, "g", to="/a/b/"),
        changed_copy(mode, source, "d/s", to="/a/b"),
    ):
        modes = {item.entry.path: item.entry.mode for item in selection.items}
        assert {modes.pop("a"), modes.pop("a/b", made)} == {made}
        assert set(modes.values()) == {mode.apply(0o644, False)}


def test_directories_that_are_copied_have_the_mode_that_chmod_gives_them() -> None:
    mode = parse_file_mode("u=rwx,go=,g+s")
    top, below, _ = changed_copy(mode, a_tree("d/s/f"), "d", to="/x").items
    assert (top.entry.mode, below.entry.mode) == (0o755, 0o2700)


def test_text_of_the_dockerfile_becomes_a_file() -> None:
    selection = copy(
        a_tree(), to="/x/", inline=(InlineText(FileName("EOF"), b"hello"),), owner=(1, 1)
    )
    source, entry, member = selection.items[1]
    assert (source, entry.path, entry.size, entry.mode, member) == (None, "x/EOF", 5, 0o644, "EOF")
    assert selection.unknown() == []
    assert (
        copy(a_tree(), to="/f", inline=(InlineText(FileName("EOF"), b""),)).items[0].entry.path
        == "f"
    )


@pytest.mark.parametrize("to", ["/", "/x/"])
def test_what_is_selected_can_be_indexed(to: str) -> None:
    text = InlineText(FileName("EOF"), b"hello")
    items = copy(a_tree("f", "d/g"), "f", "d", to=to, inline=(text,)).items
    index = FileIndex.of([item.entry for item in items])
    assert FileIndex.decode(index.encode()) == index


def test_items_come_sorted_so_that_parents_precede() -> None:
    items = copy(a_tree("d/a/b", "d/a.txt", "d/a-b"), "d", to="/").items
    assert [item.entry.path for item in items] == ["a", "a-b", "a.txt", "a/b"]


def test_unread_files_are_told_and_their_digests_can_be_given() -> None:
    tree = FileTree.of_files(
        [Entry("f", FILE, size=1), Entry("e", FILE, size=0), Entry("k", FILE, size=2, digest="k")]
    )
    selection = copy(tree, "", to="/")
    assert selection.unknown() == ["f"]
    assert selection.contents_digest({"f": "one"}) != selection.contents_digest({"f": "two"})


def changed(**fields: object) -> str:
    entry = Entry("f", FILE, size=1, digest="d")._replace(**fields)  # type: ignore[arg-type]
    return copy(FileTree.of_files([entry]), "", to="/x").contents_digest()


def test_the_digest_is_of_everything_but_mtimes() -> None:
    same = changed()
    assert changed(mtime=99) == same
    others = {
        changed(mode=0o755),
        changed(uid=1),
        changed(gid=1),
        changed(digest="e"),
        changed(xattrs=(("user.a", b"1"),)),
        changed(kind=SYMLINK, link="d"),
    }
    assert same not in others
    assert len(others) == 6


def test_sources_of_an_add_are_told_apart_before_it_is_known_which_are_archives() -> None:
    source = a_tree("x/a.tar", "y/a.tar", "d/f")
    rules = CopyRules(sources=("x/a.tar", "y/a.tar", "d", "?/a.tar"), destination="/to")

    selection = select_apart(source, rules, matching=matching)

    assert shown(selection) == [
        "0/",
        "0/a.tar <- x/a.tar",
        "1/",
        "1/a.tar <- y/a.tar",
        "2/",
        "2/f <- d/f",
        "3/",
        "3/a.tar <- x/a.tar",
        "4/",
        "4/a.tar <- y/a.tar",
    ]


def test_names_that_are_no_text_can_be_digested() -> None:
    odd = b"\xff\xfe".decode("utf-8", "surrogateescape")
    assert copy(a_tree(odd), "", to="/").contents_digest()


@pytest.mark.parametrize("to", ["/new/place/", "/new", "/old/new/", "/", "/link/x"])
def test_what_is_new_to_a_root_is_placed_by_the_text_alone(to: str) -> None:
    source, root = a_tree("dir/", "dir/f", "g"), a_tree("old/", "old/f", "link->old")
    by_text = copy(source, "dir", to=to)
    placed = copy(source, "dir", to=to, onto=root, mtime=9)

    if by_text.is_new_to(root):
        assert by_text.dated(9) == placed
    else:
        assert to in {"/old/new/", "/link/x"}


def test_nothing_is_new_that_is_there_in_part() -> None:
    source, root = a_tree("f"), a_tree("usr/")

    assert copy(source, "f", to="/opt/").is_new_to(root)
    assert not copy(source, "f", to="/usr/").is_new_to(root)
    assert copy(source, "f", to="/usr/").is_new_to(None)
