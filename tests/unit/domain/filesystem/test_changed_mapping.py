"""A changed mapping behaves as a changed copy."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from img.domain.filesystem.changed_mapping import ChangedMapping
from img.domain.filesystem.entry import FILE, Entry
from img.domain.filesystem.file_index import FileIndex
from img.domain.filesystem.tree import FileTree

KEYS = st.integers(0, 5)
CHANGES = st.lists(st.tuples(KEYS, st.none() | st.integers()), max_size=8)  # None: delete
NAMES = st.sampled_from(("a0", "a1", "b", "c"))
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
WHITEOUTS = st.tuples(PATHS, NAMES).map(lambda pair: Entry(f"{pair[0]}/.wh.{pair[1]}", FILE))
LAYERS = st.lists(st.lists(PATHS.map(lambda path: Entry(path, FILE)) | WHITEOUTS, max_size=3))


def change(mapping: "ChangedMapping[int, int] | dict[int, int]", changes: object) -> None:
    for key, value in changes:  # type: ignore[attr-defined]
        if value is None:
            mapping.pop(key, None)
        else:
            mapping[key] = value


@given(st.dictionaries(KEYS, st.integers()), st.lists(CHANGES, max_size=3))
def test_it_is_a_copy_with_changes(below: dict[int, int], rounds: list[object]) -> None:
    expected, changed = dict(below), ChangedMapping(below)
    for changes in rounds:
        former, before = changed, dict(changed)
        expected, changed = dict(expected), ChangedMapping(changed)
        change(expected, changes)
        change(changed, changes)

        assert dict(changed) == expected
        assert len(changed) == len(expected)
        assert [changed.get(key) for key in range(6)] == [expected.get(key) for key in range(6)]
        assert [key in changed for key in range(6)] == [key in expected for key in range(6)]
        assert dict(former) == before
    assert changed.changes <= 12


def base_of(directories: int) -> FileIndex:
    return FileIndex.of(
        Entry(f"a{directory}/b/f{file}", FILE)
        for directory in range(directories)
        for file in range(50)
    )


@given(LAYERS)
def test_small_layers_on_a_large_tree_are_the_same_as_all_at_once(
    layers: list[list[Entry]],
) -> None:
    indexes = [base_of(2), *(FileIndex.of(dict.fromkeys(layer)) for layer in layers)]
    tree, whole = FileTree.of(indexes[:1]), FileTree.of(indexes)
    trees = [tree]
    for index in indexes[1:]:
        trees.append(trees[-1].with_layer(index))

    paths = [entry.path for entry in whole.walk("")]
    assert list(trees[-1].walk("")) == list(whole.walk(""))
    assert [trees[-1].layer_of(path) for path in paths if path] == [
        whole.layer_of(path) for path in paths if path
    ]
    assert len(trees[-1]) == len(whole)
    assert list(tree.walk("")) == list(FileTree.of(indexes[:1]).walk(""))


def test_a_small_layer_takes_as_much_memory_on_a_large_tree_as_on_a_small_one() -> None:
    layer = FileIndex.of([Entry("a1/new", FILE), Entry("a0/.wh.b", FILE)])
    taken = []
    for directories in (40, 400):
        tree = FileTree.of([base_of(directories)])
        tracemalloc.start()
        tree.with_layer(layer)
        taken.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert taken[1] < 1.2 * taken[0]
