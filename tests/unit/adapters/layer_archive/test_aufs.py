"""Old layers, made by Docker on AUFS."""

from img.adapters.layer_archive.aufs import without_aufs_leftovers
from img.domain.filesystem.entry import DIRECTORY, FILE, HARDLINK, Entry

_FILE = Entry(".wh..wh.plnk/1.2", FILE, 0o755, size=3, digest="d", offset=512)


def link(path: str, target: str) -> Entry:
    return Entry(path, HARDLINK, link=target)


def test_linked_files_are_put_in_the_places_of_their_names() -> None:
    entries = [
        Entry(".wh..wh.plnk", DIRECTORY),
        _FILE,
        _FILE._replace(path=".wh..wh.plnk/3.4"),
        Entry(".wh..wh.aufs", FILE),
        Entry("bin", DIRECTORY),
        link("bin/a", "/.wh..wh.plnk/1.2"),
        link("bin/b", ".wh..wh.plnk/1.2"),
        link("bin/c", "bin/b"),
    ]
    assert without_aufs_leftovers(entries) == [
        _FILE._replace(path="bin/a"),
        Entry("bin", DIRECTORY),
        link("bin/b", "bin/a"),
        link("bin/c", "bin/b"),
    ]


def test_what_is_missing_stays_missing() -> None:
    dangling = link("a", ".wh..wh.plnk/1.2")
    assert without_aufs_leftovers([dangling]) == [dangling]


def test_an_opaque_root_is_no_leftover() -> None:
    opaque = Entry(".wh..wh..opq", FILE)
    assert without_aufs_leftovers([opaque]) == [opaque]
