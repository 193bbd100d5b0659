"""Contract suite of snapshotters."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from img.application.ports.layer_archive import PackedLayer
from img.application.ports.snapshotter import Snapshotter
from img.domain.filesystem.entry import DIRECTORY, FILE
from img.domain.filesystem.tree import FileTree
from img.testing.snapshots import OLD, SECOND, Lab, a_base, picture, picture_of, run, tree_of, write

Make = Callable[[], Snapshotter]
"""Returns a snapshotter at each call, over the same directory, as another process would."""


def commit_nothing(
    snapshotter: Snapshotter, lab: Lab, base: list[PackedLayer]
) -> list[PackedLayer]:
    """Return the stack that a step without changes leads to."""
    workspace = lab.prepare(snapshotter, base)
    run(workspace.root, os.listdir)
    stack = [*base, lab.pack_changes(workspace, workspace.changes(tree_of(base)))]
    workspace.commit(lab.stack(stack)[-1].chain_id, stack[-1].index)
    return stack


class SnapshotterContract:
    """Promises of every Snapshotter.

    Fixtures: ``make``, a Make over an empty directory. The tests run steps in workspaces: those of
    an OverlayRoot are mounted, for which the process has to be root, or root of a user namespace.
    """

    @pytest.fixture
    def lab(self) -> Lab:
        return Lab()

    def test_starts_from_nothing(self, make: Make, lab: Lab) -> None:
        snapshotter = make()
        workspace = snapshotter.prepare([], FileTree())
        run(workspace.root, lambda root: Path(root, "hello").write_bytes(b"hi"))
        listed = [(e.path, e.kind, e.size) for e in workspace.changes(tree_of([]))]
        assert listed == [("", DIRECTORY, 0), ("hello", FILE, 2)]

    def test_lists_nothing_when_nothing_was_done(self, make: Make, lab: Lab) -> None:
        base = a_base(lab)
        workspace = lab.prepare(make(), base)
        run(workspace.root, os.listdir)
        assert list(workspace.changes(tree_of(base))) == []

    def test_keeps_what_was_committed_across_processes(self, make: Make, lab: Lab) -> None:
        base = a_base(lab)
        stack = commit_nothing(make(), lab, base)
        lab.opened.clear()
        lab.prepare(make(), stack)
        assert lab.opened == []

    def test_names_the_stacks_it_has_and_forgets_them(self, make: Make, lab: Lab) -> None:
        base = a_base(lab)
        snapshotter = make()
        assert list(snapshotter.chain_ids()) == []
        top = lab.stack(commit_nothing(snapshotter, lab, base))[-1].chain_id
        assert top in snapshotter.chain_ids()
        assert snapshotter.usage(top) >= 0
        snapshotter.remove(top)
        snapshotter.remove(top)
        assert top not in snapshotter.chain_ids()
        assert snapshotter.usage(top) == 0

    def test_keeps_what_a_workspace_stands_on(self, make: Make, lab: Lab) -> None:
        base = a_base(lab)
        snapshotter = make()
        commit_nothing(snapshotter, lab, base)
        workspace = lab.prepare(snapshotter, base)
        other = make()  # as another process would

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
        self, make: Make, lab: Lab
    ) -> None:
        before = time.time() - 1
        base = a_base(lab)
        snapshotter = make()
        for chain_id in [lab.stack(commit_nothing(snapshotter, lab, base))[-1].chain_id]:
            facts = snapshotter.facts(chain_id)
            assert facts.used is not None and before <= facts.used <= time.time() + 1
            assert abs(facts.size - snapshotter.usage(chain_id)) < 200_000
            assert not facts.in_use
            assert snapshotter.size(chain_id) == facts.size

    def test_gives_each_step_a_root_of_its_own(self, make: Make, lab: Lab) -> None:
        base = a_base(lab)
        snapshotter = make()
        one, two = lab.prepare(snapshotter, base), lab.prepare(snapshotter, base)
        run(one.root, lambda root: Path(root, "etc/one").write_bytes(b"1"))
        assert list(two.changes(tree_of(base))) == []
        assert [e.path for e in one.changes(tree_of(base))] == ["etc", "etc/one"]

    def test_may_discard_after_a_commit(self, make: Make, lab: Lab) -> None:
        base = a_base(lab)
        snapshotter = make()
        workspace = lab.prepare(snapshotter, base)
        run(workspace.root, lambda root: Path(root, "etc/one").write_bytes(b"1"))
        packed = lab.pack_changes(workspace, workspace.changes(tree_of(base)))
        stack = [*base, packed]
        workspace.commit(lab.stack(stack)[-1].chain_id, packed.index)
        workspace.discard()
        lab.opened.clear()
        lab.prepare(snapshotter, stack)
        assert lab.opened == []

    def test_does_not_sweep_what_another_one_works_in(self, make: Make, lab: Lab) -> None:
        base = a_base(lab)
        workspace = lab.prepare(make(), base)
        lab.prepare(make(), base).discard()
        run(workspace.root, lambda root: Path(root, "etc/one").write_bytes(b"1"))
        assert [e.path for e in workspace.changes(tree_of(base))] == ["etc", "etc/one"]

    def test_shows_the_next_step_the_mtimes_of_the_layer(self, make: Make, lab: Lab) -> None:
        base = a_base(lab)
        snapshotter = make()
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

    def test_follows_no_link_when_a_file_is_opened(self, make: Make, lab: Lab) -> None:
        workspace = make().prepare([], FileTree())
        run(workspace.root, lambda root: os.symlink("/etc/passwd", f"{root}/out"))
        with pytest.raises(OSError, match="symbolic link"):
            workspace.open("out")
        workspace.discard()

    def test_does_not_wait_for_a_fifo_in_the_place_of_a_file(self, make: Make, lab: Lab) -> None:
        workspace = make().prepare([], FileTree())
        run(workspace.root, lambda root: os.mkfifo(f"{root}/pipe"))
        with pytest.raises(OSError, match="FIFO"):
            workspace.open("pipe")
        workspace.discard()
