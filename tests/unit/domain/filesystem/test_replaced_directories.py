"""Archives that put something else where a directory is, and a directory there again."""

import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.filesystem.entry import DIRECTORY, FILE, HARDLINK, SYMLINK, Entry, EntryKind
from img.domain.filesystem.file_index import FileIndex
from img.domain.filesystem.nested import Nested
from img.domain.filesystem.selection import CopyRules, Selection, select
from img.domain.filesystem.target import ImpossibleHardLink
from img.domain.filesystem.tree import FileTree
from tests.unit.domain.filesystem.copies import a_tree, matching, shown


def add(members: Sequence[Entry], onto: FileTree, *more: str) -> Selection:
    rules = CopyRules(sources=("a.tar", *more), destination="/")
    source = a_tree("a.tar", "late/d/x", "late/e")
    return select(source, rules, onto, matching=matching, archives={"a.tar": members})


def files_in(tree: FileTree) -> dict[str, str]:
    found: dict[str, str] = {}
    todo = [""]
    while todo:
        directory = todo.pop()
        for name in tree.names(directory):
            path = f"{directory}/{name}".lstrip("/")
            entry = tree.get(path)
            assert entry is not None
            found[path] = entry.kind
            todo.append(path)
    return found


@pytest.mark.parametrize("kind", [FILE, SYMLINK])
def test_a_directory_that_comes_back_is_empty(kind: EntryKind) -> None:
    base = a_tree("d/", "d/old", "d/sub/", "d/sub/old", "other/", "other/f")
    members = [
        Entry("d", kind, link="other" if kind == SYMLINK else ""),
        Entry("d", DIRECTORY),
        Entry("d/sub/new", FILE),
    ]
    selection = add(members, base)

    deleted = [item.entry.path for item in selection.items if item.is_deletion]
    assert deleted == ["d/.wh.old", "d/sub/.wh.old"]
    tree = base.with_layer(FileIndex.of([item.entry for item in selection.items]))
    assert tree.names("d") == ["sub"]
    assert tree.names("d/sub") == ["new"]


def test_a_directory_that_stays_something_else_needs_no_deletions() -> None:
    assert shown(add([Entry("d", FILE)], a_tree("d/", "d/old"))) == ["d <- a.tar"]


def test_what_is_copied_after_it_does_not_bring_the_old_back() -> None:
    base = a_tree("d/", "d/old", "d/x/", "d/x/old")
    members = [Entry("d", FILE), Entry("d", DIRECTORY)]
    selection = add(members, base, "late")

    tree = base.with_layer(FileIndex.of([item.entry for item in selection.items]))
    assert files_in(tree) == {"d": DIRECTORY, "d/x": FILE, "e": FILE}


def test_no_name_is_left_of_a_file_that_went_with_its_directory() -> None:
    members = [
        Entry("name", HARDLINK, link="d/old"),
        Entry("d", FILE),
        Entry("d", DIRECTORY),
    ]
    with pytest.raises(ImpossibleHardLink):
        add(members, a_tree("d/", "d/old"))
    with pytest.raises(ImpossibleHardLink):
        add([*members[1:], members[0]], a_tree("d/", "d/old"))


PATHS = [f"{a}{b}{c}" for a in "de" for b in ("", "/d", "/e") for c in ("", "/f") if b or not c]
MEMBERS = st.lists(
    st.builds(Entry, st.sampled_from(PATHS), st.sampled_from([DIRECTORY, FILE])), max_size=8
)


@given(st.sets(st.sampled_from(PATHS)), MEMBERS)
def test_base_and_layer_are_what_a_file_system_would_hold(
    onto: set[str], members: list[Entry]
) -> None:
    inner = {path for path in PATHS if any(each.startswith(f"{path}/") for each in PATHS)}
    base = a_tree(*(f"{path}/" if path in inner else path for path in sorted(onto)))
    wanted = files_in(base)
    taken = []
    for member in members:
        above = member.path.split("/")[:-1]
        parents = ["/".join(above[: i + 1]) for i in range(len(above))]
        if any(wanted.get(each, DIRECTORY) != DIRECTORY for each in parents):
            continue  # refused: nothing goes below a file
        taken.append(member)
        wanted |= dict.fromkeys(parents, DIRECTORY)
        if (wanted.get(member.path), member.kind) != (DIRECTORY, DIRECTORY):
            wanted = {p: k for p, k in wanted.items() if not p.startswith(f"{member.path}/")}
        wanted[member.path] = member.kind

    selection = add(taken, base)

    tree = base.with_layer(FileIndex.of([item.entry for item in selection.items]))
    assert files_in(tree) == wanted


@given(st.sets(st.sampled_from(PATHS)), st.sampled_from(PATHS))
def test_what_is_below_a_path_is_taken_with_what_leads_there(found: set[str], path: str) -> None:
    nested = Nested(found)

    below = {each for each in found if each.startswith(f"{path}/")}
    taken = nested.take_below(path)

    assert below <= set(taken)
    assert all(any(f"{each}/".startswith(f"{one}/") for each in below) for one in taken)
    assert nested.take_below(path) == []
    rest = found - below - {path}
    assert rest <= {*nested.take_below("")}


def _work_of(members: list[Entry]) -> int:
    """Return the number of Python instructions for unpacking ``members``."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        add(members, FileTree())
    finally:
        sys.settrace(before)
    return count


def test_to_replace_a_directory_takes_no_look_at_all_others() -> None:
    def pairs(number: int) -> list[Entry]:
        kinds: tuple[EntryKind, ...] = (DIRECTORY, FILE)
        return [Entry(f"d{i}", kind) for i in range(number) for kind in kinds]

    assert _work_of(pairs(160)) < 2.5 * _work_of(pairs(80))
