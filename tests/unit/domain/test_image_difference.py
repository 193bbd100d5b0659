"""Differences of files."""

import pytest

from img.domain.filesystem.entry import CHARACTER, FILE, SYMLINK, Entry
from img.domain.filesystem.tree import FileTree
from img.domain.image_difference import Difference, file_differences

BEFORE = Entry("f", FILE, 0o644, size=3, digest="a" * 64)
LINK = Entry("f", SYMLINK, 0o777, link="x")
DEVICE = Entry("f", CHARACTER, device=(1, 3))


@pytest.mark.parametrize(
    ("before", "after", "details"),
    [
        (BEFORE, BEFORE._replace(digest="b" * 64), ("content",)),
        (BEFORE, BEFORE._replace(mode=0o4755), ("mode 0644 → 4755",)),
        (BEFORE, BEFORE._replace(uid=1, gid=2), ("owner 0:0 → 1:2",)),
        (BEFORE, BEFORE._replace(xattrs=(("user.a", b"1"),)), ("extended attributes",)),
        (LINK, LINK._replace(link="y"), ("link x → y",)),
        (DEVICE, DEVICE._replace(device=(1, 5)), ("device",)),
        (BEFORE, LINK._replace(link="", mode=0o644), ("type f → l",)),
    ],
)
def test_each_change_of_a_file_is_named(
    before: Entry, after: Entry, details: tuple[str, ...]
) -> None:
    one, other = FileTree.of_files([before]), FileTree.of_files([after])

    assert list(file_differences(one, other)) == [
        Difference(kind="changed", name="/f", details=details, growth=after.size - before.size)
    ]


def test_a_time_is_no_difference() -> None:
    one, other = FileTree.of_files([BEFORE]), FileTree.of_files([BEFORE._replace(mtime=9)])

    assert list(file_differences(one, other)) == []
