"""Contract tests of snapshotters, and tests of where they work."""

import os
from pathlib import Path

import pytest

from img.domain.filesystem.entry import FILE, HARDLINK, Entry
from img.domain.filesystem.tree import FileTree
from img.testing.snapshots import OLD, Lab, a_base, run, tree_of
from img.testing.snapshotter import Make, SnapshotterContract
from tests.support.snapshots.snapshot_base import real
from tests.support.snapshots.snapshot_lab import KINDS, OVERLAY, Kind

EVERY = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


@real
@EVERY
class TestSnapshotter(SnapshotterContract):
    @pytest.fixture
    def make(self, kind: Kind, state: Path, lab: Lab) -> Make:
        return lambda: kind.make(state, lab.archive)


@real
@EVERY
class TestWorkDirectory:
    def test_leaves_nothing_of_a_step_that_was_given_up(
        self, kind: Kind, state: Path, lab: Lab
    ) -> None:
        base = a_base(lab)
        workspace = lab.prepare(kind.make(state, lab.archive), base)
        run(workspace.root, lambda root: Path(root, "etc/one").write_bytes(b"1"))
        workspace.discard()
        workspace.discard()
        assert os.listdir(state / "work") == []

    def test_sweeps_what_a_crash_left(self, kind: Kind, state: Path, lab: Lab) -> None:
        leftover = state / "work" / "0123"
        (leftover / "upper" / "locked").mkdir(parents=True)
        (leftover / "upper" / "locked").chmod(0)
        kind.make(state, lab.archive).prepare([], FileTree()).discard()
        assert not leftover.exists()


@real
def test_a_layer_with_a_hard_link_holds_the_file_it_links_to(state: Path, lab: Lab) -> None:
    base = a_base(lab)
    workspace = lab.prepare(OVERLAY.make(state, lab.archive), base)
    run(workspace.root, lambda root: os.link(f"{root}/links/single", f"{root}/etc/another"))
    changes = {entry.path: entry for entry in workspace.changes(tree_of(base))}
    assert changes["etc/another"].kind == FILE
    assert changes["links/single"] == Entry(
        "links/single", HARDLINK, 0o644, mtime=OLD, link="etc/another"
    )
