"""The one rule of what a step changed."""

import hashlib
from collections.abc import Iterable

import pytest

from img.domain.filesystem.changes import (
    Found,
    ReservedName,
    changes_of,
    is_kept_xattr,
    whiteout_of,
)
from img.domain.filesystem.entry import DIRECTORY, FIFO, FILE, HARDLINK, SYMLINK, Entry
from img.domain.filesystem.file_index import FileIndex
from img.domain.filesystem.tree import FileTree

SECOND = 10**9


def a_file(
    path: str, content: str = "content", mtime: int = 5 * SECOND, mode: int = 0o644
) -> Entry:
    digest = hashlib.sha256(content.encode()).hexdigest()
    return Entry(path, FILE, mode, size=len(content), mtime=mtime, digest=digest, offset=512)


def a_directory(path: str, mtime: int = 0) -> Entry:
    return Entry(path, DIRECTORY, 0o755, mtime=mtime)


def a_tree(*entries: Entry) -> FileTree:
    return FileTree.of([FileIndex.of(entries)])


BASE = a_tree(
    a_directory("d"),
    a_file("d/a", "linked"),
    Entry("d/b", HARDLINK, link="d/a"),
    Entry("d/c", HARDLINK, link="d/a"),
    a_directory("d/sub"),
    a_file("d/sub/x"),
    a_file("f"),
    Entry("l", SYMLINK, 0o777, link="f"),
)


def changes(
    found: Iterable[Entry | Found] = (), deleted: Iterable[str] = (), base: FileTree = BASE
) -> list[Entry]:
    items = [item if isinstance(item, Found) else Found(item) for item in found]
    contents = {item.entry.path: item.entry.digest for item in items}
    return list(changes_of(base, items, deleted, contents.__getitem__))


def paths_of(entries: Iterable[Entry]) -> list[str]:
    return [entry.path for entry in entries]


def linked(*names: str, content: str = "linked") -> list[Found]:
    return [Found(a_file(name, content), min(names)) for name in names]


def test_what_is_as_it_was_is_not_listed() -> None:
    assert changes([a_directory("d"), a_file("f"), Entry("l", SYMLINK, 0o755, link="f")]) == []


def test_content_decides_when_all_else_is_equal() -> None:
    assert paths_of(changes([a_file("f", "CONTENT")])) == ["f"]


def test_content_is_not_read_when_something_else_differs() -> None:
    found = [Found(a_file("f", mode=0o600))]
    listed = changes_of(BASE, found, (), lambda path: pytest.fail(f"{path} was read"))
    assert paths_of(listed) == ["f"]


def test_nothing_is_read_of_an_entry_that_is_the_one_of_the_base() -> None:
    same = BASE.get("f")
    assert same is not None
    listed = changes_of(BASE, [Found(same)], (), lambda path: pytest.fail(f"{path} was read"))
    assert listed == ()


@pytest.mark.parametrize(
    "changed",
    [
        a_file("f", mtime=6 * SECOND),
        a_file("f")._replace(uid=1),
        a_file("f")._replace(gid=1),
        a_file("f")._replace(xattrs=(("user.x", b""),)),
        a_file("f", mode=0o4644),
        a_file("f", "longer content"),
        Entry("f", FIFO, 0o644, mtime=5 * SECOND),
        a_directory("f"),
        Entry("l", SYMLINK, 0o777, link="g"),
        a_directory("d", mtime=SECOND),
        a_directory("", mtime=SECOND),
        Entry("new", FILE),
    ],
)
def test_each_attribute_counts(changed: Entry) -> None:
    assert paths_of(changes([changed])) == [changed.path]


def test_a_file_touched_within_the_second_it_was_packed_in_is_a_change() -> None:
    touched = a_file("f", mtime=5 * SECOND + 1)
    assert [entry.path for entry in changes([touched])] == ["f"]
    before_1970 = a_tree(a_file("f", mtime=-SECOND))
    assert changes([a_file("f", mtime=-SECOND)], base=before_1970) == []
    assert paths_of(changes([a_file("f", mtime=0)], base=before_1970)) == ["f"]


def test_entries_are_sorted_and_say_nothing_of_where_they_were_found() -> None:
    listed = changes([a_file("z"), a_file("b", mtime=7), a_directory("a")])
    assert listed == [
        a_directory("a"),
        Entry("b", FILE, size=7, mtime=7),
        Entry("z", FILE, size=7, mtime=5 * SECOND),
    ]


def test_only_the_topmost_of_what_is_gone_has_a_whiteout() -> None:
    gone = ["d", "d/a", "d/b", "d/c", "d/sub", "d/sub/x", "f"]
    assert changes(deleted=gone) == [Entry(".wh.d", FILE), Entry(".wh.f", FILE)]


def test_what_was_not_in_the_base_has_no_whiteout() -> None:
    assert changes(deleted=["nothing", "d/nothing"]) == []


def test_a_file_in_the_place_of_a_directory_needs_no_whiteout() -> None:
    gone = ["d/a", "d/b", "d/c", "d/sub", "d/sub/x"]
    assert paths_of(changes([a_file("d")], gone)) == ["d"]


def test_a_replaced_directory_has_a_whiteout_for_each_name_it_lacks() -> None:
    listed = changes([a_directory("d"), a_file("d/sub")], ["d/a", "d/b", "d/c", "d/sub/x"])
    assert paths_of(listed) == ["d", "d/.wh.a", "d/.wh.b", "d/.wh.c", "d/sub"]


def test_a_name_that_would_delete_something_is_refused() -> None:
    with pytest.raises(ReservedName) as caught:
        changes([a_file("d/.wh.f")])
    assert caught.value.path == "d/.wh.f"


def test_whiteouts_stand_beside_what_they_hide() -> None:
    assert whiteout_of("a/b").path == "a/.wh.b"
    assert whiteout_of("a").path == ".wh.a"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("user.mime_type", True),
        ("security.capability", True),
        ("security.selinux", False),
        ("system.posix_acl_access", False),
        ("trusted.overlay.opaque", False),
        ("user.overlay.origin", False),
        ("user.overlay.overlay.opaque", False),
        ("user.fuseoverlayfs.opaque", False),
        ("user.img.owner", False),
        ("user.a=b", False),
    ],
)
def test_xattrs_of_the_machine_are_not_kept(name: str, kept: bool) -> None:
    assert is_kept_xattr(name) is kept
    listed = changes([a_file("new")._replace(xattrs=((name, b"v"),))])
    assert bool(listed[0].xattrs) is kept


def test_xattrs_that_are_not_kept_make_no_difference() -> None:
    base = a_tree(a_file("f")._replace(xattrs=(("system.posix_acl_access", b"1"),)))
    assert changes([a_file("f")], base=base) == []


# --- hard links


def test_untouched_names_of_one_file_are_not_listed() -> None:
    assert changes(linked("d/a", "d/b", "d/c")) == []


def test_a_write_through_one_name_lists_them_all() -> None:
    listed = changes(linked("d/c", "d/b", "d/a", content="other"))
    assert [(e.path, e.kind, e.size, e.link) for e in listed] == [
        ("d", DIRECTORY, 0, ""),
        ("d/a", FILE, 5, ""),
        ("d/b", HARDLINK, 0, "d/a"),
        ("d/c", HARDLINK, 0, "d/a"),
    ]


def test_a_new_name_of_an_old_file_lists_them_all() -> None:
    listed = changes([Found(a_file("f"), 1), Found(a_file("a"), 1)])
    assert [(e.path, e.kind, e.link) for e in listed] == [("a", FILE, ""), ("f", HARDLINK, "a")]


def test_a_deleted_name_lists_none_of_the_others() -> None:
    assert paths_of(changes(linked("d/b", "d/c"), ["d/a"])) == ["d", "d/.wh.a"]


def test_a_broken_link_is_listed_but_for_the_first_part() -> None:
    assert paths_of(changes([*linked("d/b"), *linked("d/a", "d/c")])) == ["d", "d/b"]
    assert paths_of(changes([*linked("d/a"), *linked("d/b", "d/c")])) == ["d", "d/b", "d/c"]


def test_a_part_that_changed_leaves_the_rest_to_the_base() -> None:
    listed = changes([*linked("d/a", content="other"), *linked("d/b", "d/c")])
    assert [(e.path, e.kind) for e in listed] == [("d", DIRECTORY), ("d/a", FILE)]


def test_files_that_became_one_are_listed() -> None:
    base = a_tree(a_file("x"), a_file("y")._replace(offset=2048))
    listed = changes([Found(a_file("x"), 1), Found(a_file("y"), 1)], base=base)
    assert [(e.path, e.kind) for e in listed] == [("x", FILE), ("y", HARDLINK)]


def test_names_of_what_is_no_regular_file_are_listed_one_by_one() -> None:
    listed = changes([Entry("p", FIFO), Entry("q", FIFO)])
    assert [(e.path, e.kind) for e in listed] == [("p", FIFO), ("q", FIFO)]
