"""What every snapshotter promises (application/ports/snapshotter.py), tried by doing."""

import os
import time
from pathlib import Path

import pytest

from img.application.ports.layer_archive import PackedLayer
from img.application.ports.snapshotter import Snapshotter
from img.domain.filesystem.entry import DIRECTORY, FILE, HARDLINK, Entry
from img.domain.filesystem.tree import FileTree
from tests.support.snapshots.snapshot_base import a_base, real
from tests.support.snapshots.snapshot_lab import (
    KINDS,
    OLD,
    OVERLAY,
    SECOND,
    Kind,
    Lab,
    picture,
    picture_of,
    run,
    tree_of,
)
from tests.support.snapshots.snapshot_steps import write


def commit_nothing(
    snapshotter: Snapshotter, lab: Lab, base: list[PackedLayer]
) -> list[PackedLayer]:
    """Return the stack that a step without changes leads to."""
    workspace = lab.prepare(snapshotter, base)
    run(workspace.root, os.listdir)
    stack = [*base, lab.pack_changes(workspace, workspace.changes(tree_of(base)))]
    workspace.commit(lab.stack(stack)[-1].chain_id, stack[-1].index)
    return stack


@real
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
class TestEverySnapshotter:
    def test_starts_from_nothing(self, kind: Kind, state: Path, lab: Lab) -> None:
        snapshotter = kind.make(state, lab.archive)
        workspace = snapshotter.prepare([], FileTree())
        run(workspace.root, lambda root: Path(root, "hello").write_bytes(b"hi"))
        listed = [(e.path, e.kind, e.size) for e in workspace.changes(tree_of([]))]
        assert listed == [("", DIRECTORY, 0), ("hello", FILE, 2)]

    def test_lists_nothing_when_nothing_was_done(self, kind: Kind, state: Path, lab: Lab) -> None:
        base = a_base(lab)
        workspace = lab.prepare(kind.make(state, lab.archive), base)
        run(workspace.root, os.listdir)
        assert list(workspace.changes(tree_of(base))) == []

    def test_keeps_what_was_committed_across_processes(
        self, kind: Kind, state: Path, lab: Lab
    ) -> None:
        base = a_base(lab)
        stack = commit_nothing(kind.make(state, lab.archive), lab, base)
        lab.opened.clear()
        lab.prepare(kind.make(state, lab.archive), stack)
        assert lab.opened == []

    def test_names_the_stacks_it_has_and_forgets_them(
        self, kind: Kind, state: Path, lab: Lab
    ) -> None:
        base = a_base(lab)
        snapshotter = kind.make(state, lab.archive)
        assert list(snapshotter.chain_ids()) == []
        top = lab.stack(commit_nothing(snapshotter, lab, base))[-1].chain_id
        assert top in snapshotter.chain_ids()
        assert snapshotter.usage(top) >= 0
        snapshotter.remove(top)
        snapshotter.remove(top)
        assert top not in snapshotter.chain_ids()
        assert snapshotter.usage(top) == 0

    def test_keeps_what_a_workspace_stands_on(self, kind: Kind, state: Path, lab: Lab) -> None:
        base = a_base(lab)
        snapshotter = kind.make(state, lab.archive)
        commit_nothing(snapshotter, lab, base)
        workspace = lab.prepare(snapshotter, base)
        other = kind.make(state, lab.archive)  # as another process would

        in_use = [c for c in other.chain_ids() if other.facts(c).in_use]
        for chain_id in list(other.chain_ids()):
            other.remove(chain_id)

        assert set(in_use) == set(other.chain_ids())
        assert run(workspace.root, lambda root: Path(root, "dir/one").read_bytes()) == b"one"
        workspace.discard()
        for chain_id in list(other.chain_ids()):
            other.remove(chain_id)
        assert list(other.chain_ids()) == []

    def test_knows_about_how_large_stacks_are_and_when_they_were_used(
        self, kind: Kind, state: Path, lab: Lab
    ) -> None:
        before = time.time() - 1
        base = a_base(lab)
        snapshotter = kind.make(state, lab.archive)
        for chain_id in [lab.stack(commit_nothing(snapshotter, lab, base))[-1].chain_id]:
            facts = snapshotter.facts(chain_id)
            assert facts.used is not None and before <= facts.used <= time.time() + 1
            assert abs(facts.size - snapshotter.usage(chain_id)) < 200_000
            assert not facts.in_use
            assert snapshotter.size(chain_id) == facts.size

    def test_gives_each_step_a_root_of_its_own(self, kind: Kind, state: Path, lab: Lab) -> None:
        base = a_base(lab)
        snapshotter = kind.make(state, lab.archive)
        one, two = lab.prepare(snapshotter, base), lab.prepare(snapshotter, base)
        run(one.root, lambda root: Path(root, "etc/one").write_bytes(b"1"))
        assert list(two.changes(tree_of(base))) == []
        assert [e.path for e in one.changes(tree_of(base))] == ["etc", "etc/one"]

    def test_leaves_nothing_of_a_step_that_was_given_up(
        self, kind: Kind, state: Path, lab: Lab
    ) -> None:
        base = a_base(lab)
        workspace = lab.prepare(kind.make(state, lab.archive), base)
        run(workspace.root, lambda root: Path(root, "etc/one").write_bytes(b"1"))
        workspace.discard()
        workspace.discard()
        assert os.listdir(state / "work") == []

    def test_may_discard_after_a_commit(self, kind: Kind, state: Path, lab: Lab) -> None:
        base = a_base(lab)
        snapshotter = kind.make(state, lab.archive)
        workspace = lab.prepare(snapshotter, base)
        run(workspace.root, lambda root: Path(root, "etc/one").write_bytes(b"1"))
        packed = lab.pack_changes(workspace, workspace.changes(tree_of(base)))
        stack = [*base, packed]
        workspace.commit(lab.stack(stack)[-1].chain_id, packed.index)
        workspace.discard()
        lab.opened.clear()
        lab.prepare(snapshotter, stack)
        assert lab.opened == []

    def test_sweeps_what_a_crash_left(self, kind: Kind, state: Path, lab: Lab) -> None:
        leftover = state / "work" / "0123"
        (leftover / "upper" / "locked").mkdir(parents=True)
        (leftover / "upper" / "locked").chmod(0)
        kind.make(state, lab.archive).prepare([], FileTree()).discard()
        assert not leftover.exists()

    def test_does_not_sweep_what_another_one_works_in(
        self, kind: Kind, state: Path, lab: Lab
    ) -> None:
        base = a_base(lab)
        workspace = lab.prepare(kind.make(state, lab.archive), base)
        lab.prepare(kind.make(state, lab.archive), base).discard()
        run(workspace.root, lambda root: Path(root, "etc/one").write_bytes(b"1"))
        assert [e.path for e in workspace.changes(tree_of(base))] == ["etc", "etc/one"]

    def test_shows_the_next_step_the_mtimes_of_the_layer(
        self, kind: Kind, state: Path, lab: Lab
    ) -> None:
        base = a_base(lab)
        snapshotter = kind.make(state, lab.archive)
        workspace = lab.prepare(snapshotter, base)

        def work(root: str) -> None:
            write(f"{root}/etc/one")
            os.symlink("x", f"{root}/etc/two")
            os.link(f"{root}/etc/one", f"{root}/etc/three")

        run(workspace.root, work)
        changes = workspace.changes(tree_of(base))
        packed = lab.pack_changes(workspace, changes, epoch=OLD // SECOND + 9)
        stack = [*base, packed]
        workspace.commit(lab.stack(stack)[-1].chain_id, packed.index)
        following = lab.prepare(snapshotter, stack)
        assert run(following.root, picture) == picture_of(tree_of(stack))
        assert list(following.changes(tree_of(stack))) == []

    def test_follows_no_link_when_a_file_is_opened(self, kind: Kind, state: Path, lab: Lab) -> None:
        workspace = kind.make(state, lab.archive).prepare([], FileTree())
        run(workspace.root, lambda root: os.symlink("/etc/passwd", f"{root}/out"))
        with pytest.raises(OSError, match="symbolic links"):
            workspace.open("out")
        workspace.discard()


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
