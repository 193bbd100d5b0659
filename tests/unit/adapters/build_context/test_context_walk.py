"""A walk, the parts of which several processes may see."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from img.adapters.build_context import context_walk, shared_work
from img.adapters.build_context.context_walk import Walk, stamp_of, walk
from img.adapters.build_context.walked_tree import WalkedTree
from img.application.ports.build_context import ContextFileChanged
from img.application.ports.file_digest_store import KnownFile
from img.domain.dockerfile.ignore import IgnoreMatcher

PATTERNS: Sequence[Sequence[str]] = [
    (),
    ("d1",),
    ("**/f3",),
    ("*", "!d2/e1/f16", "!d4"),
    ("d3/*", "!d3/e0"),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number in range(40):
        directory = tmp_path / f"d{number % 7}" / f"e{number % 3}"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"f{number}").write_text("content" * number)
    (tmp_path / "d1" / "link").symlink_to("e1")
    os.mkfifo(tmp_path / "d2" / "pipe")
    os.link(tmp_path / "d0/e0/f0", tmp_path / "d6/f0")
    return tmp_path


def walked(root: Path, patterns: Sequence[str], processors: int) -> Walk:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "sched_getaffinity", lambda _: {*range(processors)})
        return walk(str(root), IgnoreMatcher(tuple(patterns)) if patterns else None)


def seen(found: Walk, root: Path) -> Sequence[object]:
    return [*WalkedTree(found, (), str(root)).walk("")]


@pytest.mark.parametrize("patterns", PATTERNS)
def test_a_walk_is_the_same_by_any_number_of_processes(
    root: Path, patterns: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = walked(root, patterns, 1)
    monkeypatch.setattr(context_walk, "_MANY", 0)

    alone, *shared = (walked(root, patterns, processors) for processors in (1, 2, 4))

    assert seen(alone, root) == seen(whole, root)
    for each in shared:
        assert each.fingerprint() == alone.fingerprint()
        assert each.newest() == alone.newest() == whole.newest()
        assert seen(each, root) == seen(alone, root)


def test_other_processes_see_parts(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context_walk, "_MANY", 0)
    alone = walked(root, (), 1)

    def all_there(count: int, _here: object, there: shared_work.Task) -> dict[int, bytes]:
        return {number: there(number) for number in range(count)}

    monkeypatch.setattr(shared_work, "do", all_there)
    shared = walked(root, (), 2)

    assert (shared.fingerprint(), shared.newest()) == (alone.fingerprint(), alone.newest())
    assert seen(shared, root) == seen(alone, root)


@pytest.mark.parametrize("processors", [1, 3])
def test_a_change_in_any_part_is_another_walk(
    root: Path, processors: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context_walk, "_MANY", 0)
    before = walked(root, (), processors).fingerprint()

    for directory in sorted(root.glob("*/*/")):
        (directory / "new").write_text("")
        after = walked(root, (), processors).fingerprint()
        assert after != before
        before = after


@pytest.mark.parametrize("processors", [1, 3])
def test_a_directory_that_changes_is_named(
    root: Path, processors: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context_walk, "_MANY", 0)
    enter = context_walk._Walker._enter

    def replaced(
        self: context_walk._Walker, directory: context_walk.Found, root: int
    ) -> list[context_walk.Found]:
        return enter(self, directory._replace(identity=(0, 0)), root)

    monkeypatch.setattr(context_walk._Walker, "_enter", replaced)

    with pytest.raises(ContextFileChanged, match=r"d\d"):
        walked(root, (), processors)


def test_the_last_of_several_records_of_a_file_counts(root: Path) -> None:
    paths = ["d0/e0/f0", "d1/e1/f1", "d2/e2/f2"]
    known = [
        (path, KnownFile(stamp_of((root / path).lstat()), path[-1] * 64, (("user.a", b""),)))
        for path in paths
    ]
    other = known[1][1]._replace(stamp=known[0][1].stamp)
    records = [*known, ("gone", other), ("back", other), (paths[1], other), (paths[2], None)]

    tree = WalkedTree(walked(root, (), 1), [*records, ("back", None)], str(root))

    entries = [tree.get(path) for path in paths]
    assert [entry and (entry.digest, len(entry.xattrs)) for entry in entries] == [
        ("0" * 64, 1),
        ("", 0),
        ("", 0),
    ]
    assert tree.gone == {"gone"}
