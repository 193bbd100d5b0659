"""The snapshotter in memory gives what real files give: promises that need no kernel."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from img.adapters.snapshotter.memory import MemorySnapshotter
from img.domain.process import DirectoryRoot
from img.testing.snapshots import OLD, SECOND, Lab, a_base, run, tree_of
from tests.support.snapshots.snapshot_base import real
from tests.support.snapshots.snapshot_lab import KINDS, Kind


class Hand(Protocol):
    """A worker that makes a step's changes, in a directory or in a MemoryWorkspace."""

    def write(self, path: str, content: bytes, mode: int = 0o644, mtime: int = 0) -> None: ...

    def link(self, path: str, target: str) -> None: ...

    def remove(self, path: str) -> None: ...


class DirectoryHand:
    """Works on files, and leaves no trace on the mtimes of directories."""

    def __init__(self, root: str) -> None:
        self._root = root

    def write(self, path: str, content: bytes, mode: int = 0o644, mtime: int = 0) -> None:
        target = Path(self._root, path)
        missing = not target.parent.is_dir()
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._unnoticed(path):
            target.write_bytes(content)
            target.chmod(mode)
            os.utime(target, ns=(mtime, mtime))
        if missing:
            os.utime(target.parent, ns=(0, 0))
            os.utime(self._root, ns=(OLD, OLD))

    def link(self, path: str, target: str) -> None:
        with self._unnoticed(path):
            os.link(f"{self._root}/{target}", f"{self._root}/{path}")

    def remove(self, path: str) -> None:
        target = Path(self._root, path)
        with self._unnoticed(path):
            shutil.rmtree(target) if target.is_dir() else target.unlink()

    @contextmanager
    def _unnoticed(self, path: str) -> Iterator[None]:
        parent = Path(self._root, path).parent
        before = parent.stat().st_mtime_ns
        yield
        os.utime(parent, ns=(before, before))


WORK: dict[str, Callable[[Hand], None]] = {
    "nothing": lambda hand: None,  # noqa: ARG005
    "a new file": lambda hand: hand.write("etc/new", b"1", mtime=OLD),
    "a new file in a new directory": lambda hand: hand.write("srv/new", b"1", 0o600),
    "other content": lambda hand: hand.write("etc/conf", b"other", mtime=OLD),
    "the same again": lambda hand: hand.write("etc/conf", b"new", mtime=OLD),
    "another mtime": lambda hand: hand.write("etc/conf", b"new", mtime=OLD + SECOND),
    "another mode": lambda hand: hand.write("etc/conf", b"new", 0o755, mtime=OLD),
    "one file less": lambda hand: hand.remove("dir/one"),
    "one directory less": lambda hand: hand.remove("dir"),
    "through one name": lambda hand: hand.write("links/b", b"more", mtime=OLD),
    "one more name": lambda hand: hand.link("etc/another", "etc/conf"),
    "one name less": lambda hand: hand.remove("links/a"),
}


@pytest.mark.parametrize("work", WORK.values(), ids=WORK)
def test_in_memory_a_step_gives_the_layer_that_follows_from_it(
    work: Callable[[Hand], None], lab: Lab
) -> None:
    base = a_base(lab)
    workspace = lab.prepare(MemorySnapshotter(lab.archive), base)
    work(workspace)
    packed = lab.pack_changes(workspace, workspace.changes(tree_of(base)))
    following = lab.prepare(MemorySnapshotter(lab.archive), [*base, packed])
    assert list(following.changes(tree_of([*base, packed]))) == []


@real
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("work", WORK.values(), ids=WORK)
def test_in_memory_a_step_gives_the_layer_that_real_files_give(
    work: Callable[[Hand], None], kind: Kind, state: Path, lab: Lab
) -> None:
    base = a_base(lab)
    memory = lab.prepare(MemorySnapshotter(lab.archive), base)
    work(memory)
    workspace = lab.prepare(kind.make(state, lab.archive), base)
    run(workspace.root, lambda root: work(DirectoryHand(root)))
    assert list(workspace.changes(tree_of(base))) == list(memory.changes(tree_of(base)))


def test_in_memory_content_of_the_base_can_be_read(lab: Lab) -> None:
    base = a_base(lab)
    workspace = lab.prepare(MemorySnapshotter(lab.archive), base)
    workspace.write("etc/new", b"written")
    with workspace.open("links/far/c") as old, workspace.open("etc/new") as new:
        assert (old.read(), new.read()) == (b"linked", b"written")


def test_in_memory_stacks_are_remembered_and_forgotten(lab: Lab) -> None:
    base = a_base(lab)
    snapshotter = MemorySnapshotter(lab.archive)
    workspace = lab.prepare(snapshotter, base)
    assert isinstance(workspace.root, DirectoryRoot)
    assert snapshotter.workspaces[workspace.root.path] is workspace
    top = lab.stack(base)[-1].chain_id
    workspace.commit(top, base[-1].index)
    workspace.discard()
    assert list(snapshotter.chain_ids()) == [top]
    snapshotter.remove(top)
    snapshotter.remove(top)
    assert list(snapshotter.chain_ids()) == []
    assert snapshotter.usage(top) == 0
