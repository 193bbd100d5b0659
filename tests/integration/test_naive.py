"""Plain directories that are handed from step to step."""

import errno
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from img.adapters.snapshotter.naive import NaiveSnapshotter
from img.adapters.storage.work_directory import remove_tree
from img.application.ports.layer_archive import PackedLayer
from img.domain.process import DirectoryRoot
from img.testing.snapshots import OLD, Lab, file, tree_of
from tests.support.snapshots.snapshot_lab import copy_bytes

pytestmark = [
    pytest.mark.userns,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, or a user namespace"),
]


@pytest.fixture
def lab() -> Lab:
    return Lab()


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else str(tmp_path)
    path = Path(f"{place}/img-test-{os.getpid()}-{os.urandom(4).hex()}")
    path.mkdir()
    yield path
    remove_tree(str(path))


def take_step(
    snapshotter: NaiveSnapshotter, lab: Lab, base: list[PackedLayer], name: str
) -> list[PackedLayer]:
    """Make a file, commit, and return the new stack."""
    workspace = lab.prepare(snapshotter, base)
    Path(workspace.root.path, name).write_bytes(name.encode())
    stack = [*base, lab.pack_changes(workspace, workspace.changes(tree_of(base)))]
    workspace.commit(lab.stack(stack)[-1].chain_id, stack[-1].index)
    return stack


def inode(root: DirectoryRoot) -> int:
    return os.stat(root.path).st_ino


def test_a_root_is_handed_on_and_never_copied(state: Path, lab: Lab) -> None:
    snapshotter = NaiveSnapshotter(state, lab.archive)
    base = [lab.pack(file("f", b"1"))]
    stack = take_step(snapshotter, lab, take_step(snapshotter, lab, base, "one"), "two")
    [kept] = os.listdir(state / "roots")
    before = os.stat(state / "roots" / kept / "rootfs").st_ino
    lab.opened.clear()
    workspace = lab.prepare(snapshotter, stack)
    assert inode(workspace.root) == before
    assert lab.opened == []


def test_only_the_layers_above_what_is_there_are_unpacked(state: Path, lab: Lab) -> None:
    snapshotter = NaiveSnapshotter(state, lab.archive)
    stack = take_step(snapshotter, lab, [lab.pack(file("f", b"1"))], "one")
    more = [*stack, lab.pack(file("g", b"2"), file(".wh.f"))]
    lab.opened.clear()
    workspace = lab.prepare(snapshotter, more)
    assert lab.opened == [lab.stack(more)[-1].chain_id]
    assert sorted(os.listdir(workspace.root.path)) == ["g", "one"]
    assert workspace.changes(tree_of(more)) == ()


def test_a_root_is_given_to_one_step_only(state: Path, lab: Lab) -> None:
    snapshotter = NaiveSnapshotter(state, lab.archive)
    stack = take_step(snapshotter, lab, [lab.pack(file("f", b"1"))], "one")
    first, second = (lab.prepare(snapshotter, stack) for _ in range(2))
    assert inode(first.root) != inode(second.root)
    assert os.listdir(first.root.path) != []


def test_a_process_forked_during_a_step_does_not_keep_the_root(state: Path, lab: Lab) -> None:
    snapshotter = NaiveSnapshotter(state, lab.archive)
    base = [lab.pack(file("f", b"1"))]
    workspace = lab.prepare(snapshotter, base)
    child = os.fork()
    if not child:
        time.sleep(60)  # until it is killed
        os._exit(0)
    workspace.commit(lab.stack(base)[-1].chain_id, base[-1].index)
    lab.opened.clear()
    lab.prepare(snapshotter, base)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert lab.opened == []


def test_few_copies_of_a_stack_are_kept(state: Path, lab: Lab) -> None:
    snapshotter = NaiveSnapshotter(state, lab.archive)
    base = [lab.pack(file("f", b"1"))]
    spaces = [lab.prepare(snapshotter, base) for _ in range(4)]
    for workspace in spaces:
        workspace.commit(lab.stack(base)[-1].chain_id, base[-1].index)
    assert len(os.listdir(state / "roots")) == 2
    assert os.listdir(state / "work") == []


def test_a_change_that_hides_behind_size_and_mtime_is_found(state: Path, lab: Lab) -> None:
    base = [lab.pack(file("f", b"old"))]
    workspace = lab.prepare(NaiveSnapshotter(state, lab.archive), base)
    path = Path(workspace.root.path, "f")
    path.write_bytes(b"new")
    os.utime(path, ns=(OLD, OLD))
    assert [entry.path for entry in workspace.changes(tree_of(base))] == ["f"]


def test_a_change_at_once_after_unpacking_is_found(state: Path, lab: Lab) -> None:
    base = [lab.pack(*(file(f"f{n}", b"old") for n in range(50)))]
    for attempt in range(5):
        workspace = lab.prepare(NaiveSnapshotter(state / str(attempt), lab.archive), base)
        path = Path(workspace.root.path, "f49")
        path.write_bytes(b"new")
        os.utime(path, ns=(OLD, OLD))
        assert [entry.path for entry in workspace.changes(tree_of(base))] == ["f49"]


def test_what_nobody_looked_at_is_looked_at_by_the_next(state: Path, lab: Lab) -> None:
    snapshotter = NaiveSnapshotter(state, lab.archive)
    base = [lab.pack(file("f", b"1"))]
    workspace = lab.prepare(snapshotter, base)
    os.utime(workspace.root.path + "/f", ns=(OLD, OLD))
    workspace.commit(lab.stack(base)[-1].chain_id, base[-1].index)
    assert lab.prepare(snapshotter, base).changes(tree_of(base)) == ()


def test_a_walk_that_cannot_be_read_is_made_again(state: Path, lab: Lab) -> None:
    snapshotter = NaiveSnapshotter(state, lab.archive)
    stack = take_step(snapshotter, lab, [lab.pack(file("f", b"1"))], "one")
    [kept] = os.listdir(state / "roots")
    (state / "roots" / kept / "walk").write_bytes(b"broken")
    assert lab.prepare(snapshotter, stack).changes(tree_of(stack)) == ()


def test_a_broken_blob_leaves_no_half_root(state: Path, lab: Lab) -> None:
    base = [lab.pack(file("f", b"1"))]
    snapshotter = NaiveSnapshotter(state, lab.archive)
    lab.blobs.remove(base[0].layer.descriptor.digest)
    with pytest.raises(Exception, match="no blob"):
        lab.prepare(snapshotter, base)
    assert os.listdir(state / "work") == os.listdir(state / "roots") == []


def test_a_step_on_thousands_of_files_is_looked_at_quickly(state: Path, lab: Lab) -> None:
    base = [lab.pack(*(file(f"d{n % 300}/f{n}", b"x") for n in range(6700)))]
    snapshotter = NaiveSnapshotter(state, lab.archive)
    stack = take_step(snapshotter, lab, base, "one")
    workspace = lab.prepare(snapshotter, stack)
    tree = tree_of(stack)
    started = time.process_time()
    assert workspace.changes(tree) == ()
    assert time.process_time() - started < 0.4  # 30 ms on an idle machine


# --- where files can share their blocks ---


class CountedReflinks:
    """Copies bytes; counts."""

    def __init__(self, refusal: int = 0) -> None:
        self.count = 0
        self.refusal = refusal

    def __call__(self, source: int, target: int) -> None:
        self.count += 1
        if self.refusal:
            raise OSError(self.refusal, os.strerror(self.refusal))
        copy_bytes(source, target)


def test_what_was_unpacked_stays_and_steps_get_copies(state: Path, lab: Lab) -> None:
    reflinks = CountedReflinks()
    snapshotter = NaiveSnapshotter(state, lab.archive, reflink=reflinks)
    base = [lab.pack(file("f", b"1"), file("g", b"2"))]
    take_step(snapshotter, lab, base, "one")
    lab.opened.clear()

    workspace = lab.prepare(snapshotter, base)
    other = lab.prepare(snapshotter, base)

    assert sorted(os.listdir(workspace.root.path)) == ["f", "g"]
    assert inode(workspace.root) != inode(other.root)
    assert workspace.changes(tree_of(base)) == ()
    assert lab.opened == []
    assert reflinks.count == 3 * 2


def test_a_step_after_a_step_copies_nothing(state: Path, lab: Lab) -> None:
    reflinks = CountedReflinks()
    snapshotter = NaiveSnapshotter(state, lab.archive, reflink=reflinks)
    stack = take_step(snapshotter, lab, [lab.pack(file("f", b"1"))], "one")

    take_step(snapshotter, lab, stack, "two")

    assert reflinks.count == 1


@pytest.mark.parametrize("code", [errno.EOPNOTSUPP, errno.EXDEV, errno.ENOTTY, errno.ENOSPC])
def test_where_there_are_none_they_are_tried_once(state: Path, lab: Lab, code: int) -> None:
    reflinks = CountedReflinks(refusal=code)
    snapshotter = NaiveSnapshotter(state, lab.archive, reflink=reflinks)
    base = [lab.pack(file("f", b"1"), file("g", b"2"))]

    take_step(snapshotter, lab, base, "one")
    take_step(snapshotter, lab, base, "two")

    assert reflinks.count == 1
    assert len(os.listdir(state / "roots")) == 2
    assert os.listdir(state / "work") == []
