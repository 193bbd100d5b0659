"""COPY's rules, one by one."""

import pytest

from img.domain.filesystem.entry import DIRECTORY, FILE, HARDLINK, SYMLINK, Entry
from img.domain.filesystem.file_index import FileIndex
from img.domain.filesystem.file_name import FileName
from img.domain.filesystem.selection import (
    CopyRules,
    DestinationIsOneFile,
    InlineText,
    select,
)
from img.domain.filesystem.source_match import SourceNotFound
from img.domain.filesystem.target import ImpossibleHardLink, IsADirectory, NotADirectory
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


def test_several_files_do_not_fit_one_name() -> None:
    with pytest.raises(DestinationIsOneFile) as caught:
        copy(a_tree("a", "b"), "a", "b", to="/x")
    assert "/x" in caught.value.message


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
    assert [item.entry.mode for item in items] == [0o711, 0o711, 0o600, 0o777]


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


def test_items_come_sorted_so_that_parents_precede() -> None:
    items = copy(a_tree("d/a/b", "d/a.txt", "d/a-b"), "d", to="/").items
    assert [item.entry.path for item in items] == ["a", "a-b", "a.txt", "a/b"]


def test_the_members_of_an_archive_go_into_the_destination_through_its_links() -> None:
    rules = CopyRules(sources=("a.tar",), destination="/d")
    members = [
        Entry("var/run/x", FILE, 0o600, 1000, 1000, size=2, offset=512),
        Entry("var/run/y", HARDLINK, link="var/run/x"),
        Entry("new", SYMLINK, link="/run"),
        Entry("new/z", FILE, size=1, offset=2048),
    ]
    onto = a_tree("d/var/run->/run", "run/", "d/")
    selection = select(a_tree("a.tar"), rules, onto, matching=matching, archives={"a.tar": members})
    assert shown(selection) == [
        "d/",
        "d/new->/run",
        "run/",
        "run/x <- a.tar",
        "run/y->run/x",
        "run/z <- a.tar",
    ]
    assert [item.member for item in selection.items] == ["", "new", "", "var/run/x", "", "new/z"]
    assert selection.items[3].entry.uid == 1000
    assert selection.items[3].entry.offset == 512


def test_of_the_names_of_a_file_in_an_archive_the_first_by_sorting_has_the_content() -> None:
    rules = CopyRules(sources=("a.tar",), destination="/")
    members = [
        Entry("b", FILE, size=2, offset=512),
        Entry("a", HARDLINK, link="b"),
        Entry("c", HARDLINK, link="a"),
        Entry("b", FILE, size=9, offset=2048),  # another file, which leaves the names of the first
        Entry("d", HARDLINK, link="of-the-base"),
    ]
    onto = a_tree("of-the-base")

    items = select(
        a_tree("a.tar"), rules, onto, matching=matching, archives={"a.tar": members}
    ).items

    found = [(item.entry.path, item.entry.kind, item.entry.link, item.member) for item in items]
    assert found == [
        ("a", FILE, "", "b"),
        ("b", FILE, "", "b"),
        ("c", HARDLINK, "a", ""),
        ("d", HARDLINK, "of-the-base", "d"),
    ]
    assert [item.entry.size for item in items[:2]] == [2, 9]


def test_an_archive_replaces_what_is_in_its_way() -> None:
    rules = CopyRules(sources=("a.tar",), destination="/")
    members = [Entry("d", DIRECTORY), Entry("d/f", FILE), Entry("d", FILE), Entry("g", DIRECTORY)]
    selection = select(
        a_tree("a.tar"), rules, a_tree("d/x", "g"), matching=matching, archives={"a.tar": members}
    )
    assert shown(selection) == ["d <- a.tar", "g/"]


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([Entry("d/f", FILE), Entry("d", HARDLINK, link="d/f")], "replaces the directory"),
        ([Entry("b", HARDLINK, link="b/f")], "replaces the directory"),
        ([Entry("d", DIRECTORY), Entry("h", HARDLINK, link="d")], "is a directory"),
        ([Entry("h", HARDLINK, link="b")], "is a directory"),
    ],
)
def test_a_hard_link_that_there_cannot_be_is_refused(members: list[Entry], reason: str) -> None:
    rules = CopyRules(sources=("a.tar",), destination="/")
    onto = a_tree("b/", "b/f")

    with pytest.raises(ImpossibleHardLink, match=reason):
        select(a_tree("a.tar"), rules, onto, matching=matching, archives={"a.tar": members})


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
