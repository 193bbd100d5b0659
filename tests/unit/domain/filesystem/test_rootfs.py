"""The files of an image as they are handed out."""

from img.domain.filesystem.entry import CHARACTER, DIRECTORY, FILE, HARDLINK, SYMLINK, Entry
from img.domain.filesystem.file_index import FileIndex
from img.domain.filesystem.rootfs import (
    files_in,
    in_order_of_making,
    moved_below,
    without_privileges,
)
from img.domain.filesystem.tree import FileTree

D = Entry("d", DIRECTORY, 0o755)
B = Entry("d/b", FILE, size=3, offset=512)
A = Entry("d/a", HARDLINK, link="d/b")
GONE = Entry("gone", FILE, size=1, offset=2048)
L = Entry("l", SYMLINK, link="/d/b")
NULL = Entry("null", CHARACTER, device=(1, 3))


def tree() -> FileTree:
    return FileTree.of(
        [FileIndex.of([D, B, A, GONE]), FileIndex.of([Entry(".wh.gone", FILE, offset=512), L])]
    )


def test_what_whiteouts_hide_is_not_there_and_the_first_name_has_the_content() -> None:
    assert list(files_in(tree())) == [
        D,
        B._replace(path="d/a"),
        Entry("d/b", HARDLINK, link="d/a"),
        L,
    ]


def test_another_name_has_the_content_where_the_first_one_is_left_out() -> None:
    first = Entry("a/b", HARDLINK, link="d/b")
    linked = FileTree.of([FileIndex.of([D, B, Entry("a", DIRECTORY), first])])

    assert [entry.link for entry in files_in(linked)] == ["", "", "", "a/b"]
    assert list(files_in(linked, without="a")) == [D, B]


def test_a_tree_in_a_folder_keeps_its_links() -> None:
    moved = [moved_below("linux_amd64", entry) for entry in files_in(tree())]

    assert [entry.path for entry in moved] == [
        "linux_amd64/d",
        "linux_amd64/d/a",
        "linux_amd64/d/b",
        "linux_amd64/l",
    ]
    assert [entry.link for entry in moved[2:]] == ["linux_amd64/d/a", "/d/b"]
    assert moved_below("", B) is B


def test_directories_are_made_first_and_other_names_last() -> None:
    empty = Entry("empty", FILE)

    assert in_order_of_making([A, B, L, NULL, empty, D]) == ([D, L, NULL, empty], [B], [A])


def test_users_may_set_the_attributes_of_users() -> None:
    entry = B._replace(xattrs=(("security.capability", b"c"), ("user.note", b"n")))

    assert without_privileges(entry).xattrs == (("user.note", b"n"),)
    assert without_privileges(B) is B
