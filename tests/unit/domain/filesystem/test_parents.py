"""Each directory above what a layer changes is in the layer, as the merged tree has it."""

from hypothesis import given
from hypothesis import strategies as st

from img.domain.filesystem import paths
from img.domain.filesystem.entry import DIRECTORY, FILE, Entry
from img.domain.filesystem.file_index import FileIndex
from img.domain.filesystem.parents import missing_parents
from img.domain.filesystem.tree import FileTree

NAMES = st.sampled_from("abc")
PATHS = st.lists(NAMES, min_size=1, max_size=5).map("/".join)
MODES = st.sampled_from([0o700, 0o755, 0o1777, 0o2775])


@st.composite
def trees(draw: st.DrawFn) -> FileTree:
    directories = {path for one in draw(st.lists(PATHS)) for path in (*paths.ancestors(one), one)}
    return FileTree.of(
        [
            FileIndex.of(
                Entry(path, DIRECTORY, draw(MODES), draw(st.integers(0, 9)), mtime=draw(TIMES))
                for path in sorted(directories)
            )
        ]
    )


TIMES = st.integers(0, 99)


@given(trees(), st.dictionaries(PATHS, TIMES))
def test_no_directory_above_an_entry_is_left_out_or_changed(
    base: FileTree, layer: dict[str, int]
) -> None:
    parents = {entry.path: entry for entry in missing_parents(layer.items(), base)}

    above = {parent for path in layer for parent in paths.ancestors(path)}
    assert parents.keys() == {path for path in above if path not in layer and base.get(path)}
    for path, entry in parents.items():
        there = base.get(path)
        assert there is not None
        assert entry._replace(mtime=there.mtime) == there
        inside = [time for name, time in layer.items() if paths.parent(name) == path]
        assert entry.mtime == max([there.mtime, *inside])


@given(trees(), st.dictionaries(PATHS, st.just(0)))
def test_a_layer_that_unpackers_lay_over_others_shows_the_merged_tree(
    base: FileTree, layer: dict[str, int]
) -> None:
    files = [Entry(path, FILE) for path in layer if not base.is_directory(path)]
    own = [*missing_parents([(entry.path, 0) for entry in files], base), *files]
    alone = {entry.path: entry for entry in own}

    merged = base.with_layer(FileIndex.of(sorted(own)))

    for path in alone:
        for parent in paths.ancestors(path):
            if base.is_directory(parent) and merged.is_directory(parent):
                assert alone[parent] == base.get(parent)


def test_a_link_among_the_parents_is_no_directory() -> None:
    base = FileTree.of([FileIndex.of([Entry("l", "l", link="d")])])
    assert list(missing_parents([("l/x", 0)], base)) == []
