"""Changes of layers, and the bytes that they waste."""

from hypothesis import given
from hypothesis import strategies as st

from img.domain.filesystem.entry import DIRECTORY, FILE, HARDLINK, Entry
from img.domain.filesystem.file_index import FileIndex
from img.domain.filesystem.layer_story import LayerStory, Reason, children_of, story_of
from img.domain.filesystem.tree import FileTree


def directory(path: str, mode: int = 0o755) -> Entry:
    return Entry(path, DIRECTORY, mode)


def file(path: str, size: int = 1, digest: str = "") -> Entry:
    return Entry(path, FILE, size=size, digest=digest or f"of {path} {size}")


def gone(path: str) -> Entry:
    head, _, name = path.rpartition("/")
    return Entry(f"{head}/.wh.{name}" if head else f".wh.{name}", FILE)


def told(*layers: list[Entry]) -> LayerStory:
    return story_of([FileIndex.of(layer) for layer in layers])


def changes(story: LayerStory, layer: int) -> list[str]:
    return [f"{each.change.value}{each.entry.path}" for each in story.changes[layer]]


def wasted(story: LayerStory) -> list[tuple[Reason, str, int, int, int | None]]:
    return [(each.reason, each.path, each.size, each.layer, each.by) for each in story.waste]


def test_a_layer_adds_changes_and_removes() -> None:
    story = told(
        [directory("a"), file("a/1", 10), directory("a/b"), file("a/b/2", 20), file("3", 30)],
        [directory("a"), file("a/1", 11), gone("a/b"), directory("c", 0o700), gone("never")],
        [directory("a", 0o700), gone("3")],
    )

    assert changes(story, 0) == ["+a", "+a/1", "+a/b", "+a/b/2", "+3"]
    assert changes(story, 1) == ["-a/b", "-a/b/2", "~a/1", "+c"]
    assert changes(story, 2) == ["-3", "~a"]
    assert [entry.path for entry in story.files] == ["a", "a/1", "c"]
    assert wasted(story) == [
        (Reason.DELETED, "3", 30, 0, 2),
        (Reason.DELETED, "a/b/2", 20, 0, 1),
        (Reason.OVERWRITTEN, "a/1", 10, 0, 1),
    ]
    assert story.wasted == 60


def test_an_opaque_directory_and_a_file_in_its_place_remove_what_was_there() -> None:
    story = told(
        [directory("a"), file("a/1", 5), directory("b"), file("b/2", 7)],
        [directory("a"), Entry("a/.wh..wh..opq", FILE), file("a/3"), file("b", 9)],
    )

    assert changes(story, 1) == ["-a/1", "+a/3", "-b/2", "~b"]
    assert {each.path for each in story.waste} == {"a/1", "b/2"}


def test_equal_contents_and_package_caches_are_waste() -> None:
    story = told(
        [
            file("usr/a", 100, "x"),
            Entry("usr/link", HARDLINK, link="usr/a"),
            file("empty", 0, "e"),
            file("empty2", 0, "e"),
            file("var/lib/apt/lists/p", 40),
            file("var/lib/apt/other", 41),
            file("home/ada/.cache/pip/http/1", 50),
        ],
        [file("zz/b", 100, "x")],
    )

    assert wasted(story) == [
        (Reason.DUPLICATE, "zz/b", 100, 1, None),
        (Reason.CACHE, "home/ada/.cache/pip/http/1", 50, 0, None),
        (Reason.CACHE, "var/lib/apt/lists/p", 40, 0, None),
    ]
    assert story.waste[0].original == "usr/a"
    (link,) = story.search("USR/L")
    assert link.size == 100


def test_a_duplicate_in_a_cache_counts_once() -> None:
    story = told([file("a", 9, "x"), file("var/cache/apk/a", 9, "x")])
    assert len(story.waste) == 2
    assert story.wasted == 9


def test_a_file_written_twice_in_one_layer_wastes_nothing() -> None:
    assert told([file("a", 9), file("a", 8)]).waste == ()


_PATHS = st.sampled_from(["a", "a/b", "a/b/c", "a/d", "e", "e/b"])
_ENTRIES = st.one_of(
    _PATHS.map(file),
    _PATHS.map(directory),
    _PATHS.map(gone),
    st.sampled_from(["a", "e"]).map(lambda path: Entry(f"{path}/.wh..wh..opq", FILE)),
)


@given(st.lists(st.lists(_ENTRIES, max_size=6), max_size=4))
def test_any_layers_have_a_story_in_which_bytes_are_wasted_once(layers: list[list[Entry]]) -> None:
    story = told(*layers)

    written = sum(entry.size for layer in layers for entry in layer)
    assert 0 <= story.wasted <= written
    assert len({entry.path for entry in story.files}) == len(story.files)
    assert set(children_of(story.files)) >= {""}


def test_the_files_are_those_of_the_tree() -> None:
    layers = [
        FileIndex.of([directory("a"), file("a/1"), directory("a/b"), file("a/b/2")]),
        FileIndex.of([directory("a"), gone("a/b"), file("a/3")]),
    ]
    tree = FileTree.of(layers)
    assert [entry.path for entry in story_of(layers).files] == ["a", "a/1", "a/3"]
    assert all(tree.get(entry.path) is not None for entry in story_of(layers).files)


def test_directories_without_an_entry_are_there() -> None:
    assert children_of([file("a/b/c"), file("a/d")]) == {
        "": ["a"],
        "a": ["a/b", "a/d"],
        "a/b": ["a/b/c"],
    }
