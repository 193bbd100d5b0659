"""Maps of the files of an image."""

from img.domain.filesystem.entry import DIRECTORY, FILE, HARDLINK, SYMLINK, Entry
from img.domain.filesystem.file_index import FileIndex
from img.domain.filesystem.layer_story import Reason, story_of
from img.domain.report.file_map import FileMap, MappedFile, SmallFiles, map_of
from tests.support.reports import layers_of

LAYERS = [
    [
        Entry("usr", DIRECTORY),
        Entry("usr/lib", DIRECTORY),
        Entry("usr/lib/a\x1b[2J", FILE, size=400, digest="a"),
        Entry("usr/lib/again", HARDLINK, link="usr/lib/a\x1b[2J"),
        Entry("usr/lib/s", SYMLINK, link="a"),
        Entry("f", FILE, size=100, digest="f"),
        Entry("empty", FILE),
    ],
    [Entry("f", FILE, size=50, digest="g"), Entry("usr/small", FILE, size=1, digest="s")],
]


def drawn(budget: int) -> FileMap:
    return map_of(story_of([FileIndex.of(each) for each in LAYERS]), budget)


def sums(map_: FileMap) -> tuple[int, int]:
    """Return the number of files and their bytes, of all that a map has."""
    found = [
        (len(map_.files), sum(file.size for file in map_.files)),
        *((small.number, small.size) for small in map_.small),
        *map(sums, map_.directories),
    ]
    return sum(number for number, _ in found), sum(size for _, size in found)


def test_a_map_has_the_files_of_all_layers_the_largest_first() -> None:
    map_ = drawn(1000)

    assert map_.size == 551
    assert map_.files == (
        MappedFile("f", 100, 0, Reason.OVERWRITTEN),
        MappedFile("f", 50, 1),
    )
    (usr,) = map_.directories
    assert (usr.name, usr.size, usr.files) == ("usr", 401, (MappedFile("small", 1, 1),))
    (lib,) = usr.directories
    assert lib.files == (MappedFile(r"a\x1b[2J", 400, 0),)


def test_files_that_a_map_has_no_room_for_are_counted_in_the_nearest_directory() -> None:
    map_ = drawn(70)  # the root, /usr and /usr/lib

    (usr,) = map_.directories
    (lib,) = usr.directories
    assert lib.small == (SmallFiles(1, 400, 0),)
    assert usr.small == (SmallFiles(1, 1, 1),)
    assert map_.small == (SmallFiles(1, 100, 0), SmallFiles(1, 50, 1))
    assert drawn(0).small == (SmallFiles(2, 500, 0), SmallFiles(2, 51, 1))


def test_nothing_is_lost_whatever_the_budget() -> None:
    story = story_of(layers_of(3000))

    whole = sums(map_of(story, 10**9))

    assert {sums(map_of(story, budget)) for budget in (0, 100, 10_000, 60_000)} == {whole}


def test_deep_paths_have_their_end_as_their_name() -> None:
    deep = "/".join(["d"] * 100)
    story = story_of([FileIndex.of([Entry(f"{deep}/f", FILE, size=7)])])

    map_, depth = map_of(story, 10_000), 0
    while map_.directories:
        (map_,) = map_.directories
        depth += 1

    assert depth == 24
    assert map_.files == (MappedFile("d/" * 76 + "f", 7, 0),)
