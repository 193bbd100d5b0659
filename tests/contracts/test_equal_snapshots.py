"""The same step gives the same layer with every snapshotter."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from img.application.ports.layer_archive import PackedLayer
from img.application.ports.snapshotter import Snapshotter
from img.testing.snapshots import (
    Lab,
    Mutation,
    Picture,
    a_base,
    described,
    picture,
    picture_of,
    run,
    tree_of,
)
from tests.support.snapshots.link_steps import LINK_STEPS
from tests.support.snapshots.snapshot_base import real
from tests.support.snapshots.snapshot_lab import FUSE, KINDS, NAIVE, OVERLAY, Kind
from tests.support.snapshots.snapshot_steps import STEPS, Step

# What fuse-overlayfs 1.10 itself does otherwise: it does not copy fifos up, gives symbolic links
# that it copies a new mtime, takes no longest names, cannot show what a step sees of hard links,
# and hides when a directory was touched or the last change in it was a replacement.
FUSE_DIFFERS = {
    "change_owners",
    "change_owners_to_what_they_are",
    "make_two_files_one",
    "odd_names",
    "rename_files",
    "rename_over_one_name",
    "replace_a_directory",
    "set_xattrs_that_are_ours",
    "touch",
}

ALL_STEPS = STEPS | LINK_STEPS


def at_root(work: Step) -> Mutation:
    return lambda root: work(lambda path: f"{root}/{path}" if path else root)


def outcome(
    kind: Kind, state: Path, lab: Lab, base: list[PackedLayer], work: Mutation
) -> list[object]:
    """Return the described changes that ``work`` makes, after all other promises were tried."""
    snapshotter = kind.make(state / kind.name, lab.archive)
    workspace = lab.prepare(snapshotter, base)
    after = run(workspace.root, lambda root: (work(root), picture(root))[1])
    changes = workspace.changes(tree_of(base))
    assert list(changes) == sorted(changes, key=lambda entry: entry.path)
    assert changes == workspace.changes(tree_of(base)), "asking twice changes the answer"
    packed = lab.pack_changes(workspace, changes)
    stack = [*base, packed]
    expected = picture_of(tree_of(stack))
    if kind is not FUSE:  # it shows new mtimes of directories it only copies something up in
        assert expected == after
    workspace.commit(lab.stack(stack)[-1].chain_id, packed.index)
    assert_unpacked(snapshotter, kind, lab, stack, expected, fresh=False)
    for fresh in (OVERLAY, NAIVE) if kind is NAIVE else ():  # all others give the same layer
        other_state = state / f"{kind.name} unpacked by {fresh.name}"
        unpacked = fresh.make(other_state, lab.archive)
        assert_unpacked(unpacked, fresh, lab, stack, expected, fresh=True)
    return [described(entry) for entry in changes]


def assert_unpacked(
    snapshotter: Snapshotter,
    kind: Kind,
    lab: Lab,
    stack: Sequence[PackedLayer],
    expected: Picture,
    *,
    fresh: bool,
) -> None:
    lab.opened.clear()
    workspace = lab.prepare(snapshotter, stack)
    assert bool(lab.opened) == fresh, "what was committed is unpacked again"
    assert run(workspace.root, picture) == expected
    assert list(workspace.changes(tree_of(stack))) == []
    workspace.discard()


@real
@pytest.mark.parametrize("name", ALL_STEPS)
def test_the_same_step_gives_the_same_layer_everywhere(name: str, state: Path, lab: Lab) -> None:
    base = a_base(lab)
    work = at_root(ALL_STEPS[name])
    kinds = [kind for kind in KINDS if kind is not FUSE or name not in FUSE_DIFFERS]
    first, *others = [outcome(kind, state, lab, base, work) for kind in kinds]
    for listed in others:
        assert listed == first
