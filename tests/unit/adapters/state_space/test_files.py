"""Leftovers in a state directory."""

import fcntl
import os
from pathlib import Path

from img.adapters.state_space.files import FileStateSpace


def space(state: Path) -> FileStateSpace:
    others = [state / "snapshots/none/boot-now", state / "snapshots/single/boot-now"]
    return FileStateSpace(state, state / "snapshots/same/boot-now", others)


def found(state: Path, before: float | None = None) -> list[str]:
    return sorted(each.id for each in space(state).leftovers(before=before))


def test_a_state_that_is_not_there_takes_no_room_and_has_no_leftovers(tmp_path: Path) -> None:
    nowhere = space(tmp_path / "none/at/all")

    assert nowhere.total() == 0
    assert 0 < nowhere.free() <= nowhere.capacity()
    assert nowhere.leftovers(before=None) == []


def test_drafts_parts_and_snapshots_of_before_the_start_are_left_over(tmp_path: Path) -> None:
    for path in (
        "tmp/123.456",
        "tmp/img-git-x/tree/f",
        "incoming/sha256-00",
        "layout/.img-tmp/1.2",
        "layout/.img-tmp/incoming/sha256-01",
        "snapshots/same/boot-old/overlay/layers/sha256-02/f",
        "snapshots/same/overlay/layers/sha256-02/f",
        "snapshots/same/boot-now/overlay/layers/sha256-03/f",
        "snapshots/same/boot-now/overlay/work/abc/upper/f",
        "snapshots/subordinate/boot-now/naive/roots/sha256-04.x/f",
        "snapshots/subordinate/boot-old/naive/roots/sha256-04.x/f",
        "snapshots/none/boot-now/naive/roots/sha256-04.x/f",
        "snapshots/none/boot-old/naive/roots/sha256-04.x/f",
        "layout/.img-tmp/reserve",
        "blobs/sha256/05",
        "reserve",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"x")

    assert found(tmp_path) == [
        "incoming/sha256-00",
        "layout/.img-tmp/1.2",
        "layout/.img-tmp/incoming/sha256-01",
        "snapshots/none/boot-old",
        "snapshots/same/boot-now/overlay/work/abc",
        "snapshots/same/boot-old",
        "snapshots/same/overlay",
        "tmp/123.456",
        "tmp/img-git-x",
    ]
    for leftover in space(tmp_path).leftovers(before=None):
        space(tmp_path).remove(leftover)
    assert found(tmp_path) == []
    assert (tmp_path / "snapshots/same/boot-now/overlay/layers/sha256-03/f").exists()


def test_what_somebody_holds_or_has_just_made_is_no_leftover(tmp_path: Path) -> None:
    work = tmp_path / "snapshots/same/boot-now/overlay/work/abc"
    part = tmp_path / "incoming/sha256-00"
    work.mkdir(parents=True)
    part.parent.mkdir()
    part.touch()
    draft = tmp_path / "tmp/1.2"
    draft.parent.mkdir()
    draft.touch()
    os.utime(draft, (1000, 1000))
    held = [os.open(path, os.O_RDONLY) for path in (work, part)]
    for descriptor in held:
        fcntl.flock(descriptor, fcntl.LOCK_EX)

    assert found(tmp_path) == ["tmp/1.2"]
    assert found(tmp_path, before=999.0) == []
    for descriptor in held:
        os.close(descriptor)
    assert len(found(tmp_path)) == 3
