"""Overlay snapshots where the kernel, other processes and crashes come in."""

import io
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from img.adapters.linux.host_probe_cache import HostProbeCache
from img.adapters.linux.overlay_trial import MOST_LAYERS
from img.adapters.snapshotter.attributes import PathTooLong
from img.adapters.snapshotter.auto import AutoSnapshotter
from img.adapters.snapshotter.naive import NaiveSnapshotter
from img.adapters.snapshotter.overlay import OverlaySnapshotter
from img.adapters.storage.work_directory import remove_tree
from img.application.ports.layer_archive import InvalidLayer, PackedLayer
from img.application.ports.snapshotter import SnapshotLayer, SnapshotterUnavailable
from img.domain.filesystem.entry import DIRECTORY, FIFO, SYMLINK
from img.domain.filesystem.file_index import FileIndex
from img.domain.filesystem.tree import FileTree
from img.domain.process import DirectoryRoot, OverlayRoot
from img.testing.snapshots import (
    OLD,
    SECOND,
    Lab,
    file,
    link,
    other,
    picture,
    picture_of,
    run,
    tree_of,
)
from tests.support.snapshots.snapshot_lab import fake_chain_id, needs_overlay

pytestmark = [pytest.mark.userns, needs_overlay]


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


def in_processes(count: int, work: Callable[[], object]) -> None:
    """Run ``work`` in ``count`` processes at once; all have to succeed."""
    children = []
    for _ in range(count):
        child = os.fork()
        if not child:
            try:
                work()
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * count


def test_the_next_step_opens_no_files_of_the_layers_below(state: Path, lab: Lab) -> None:
    # So a step on 500 layers costs what one on few does, besides the kernel's mount.
    asked: list[str] = []
    watched = ("open", "os.listxattr", "os.getxattr", "os.utime", "os.listdir", "os.scandir")
    watching: list[bool] = []
    sys.addaudithook(
        lambda event, _: asked.append(event) if watching and event in watched else None
    )
    counts = []

    for number in (3, 30):
        stack = [lab.pack(file("f", b"content %d" % each)) for each in range(number)]
        snapshotter = OverlaySnapshotter(state / str(number), lab.archive)
        lab.prepare(snapshotter, stack).discard()
        asked.clear()
        watching.append(True)
        lab.prepare(snapshotter, stack).discard()
        watching.clear()
        counts.append(Counter(asked))

    assert counts[0] == counts[1]
    assert counts[0]


def test_an_opaque_root_hides_all_layers_below(state: Path, lab: Lab) -> None:
    stack = [
        lab.pack(file("old", b"1"), other("d", DIRECTORY)),
        lab.pack(file(".wh..wh..opq"), file("new", b"2")),
        lab.pack(file("newer", b"3")),
    ]
    assert run_again(state, lab, stack) == picture_of(tree_of(stack))


def run_again(state: Path, lab: Lab, stack: list[PackedLayer]) -> object:
    workspace = lab.prepare(OverlaySnapshotter(state, lab.archive), stack)
    return run(workspace.root, picture)


def test_a_hard_link_to_a_file_of_a_lower_layer_keeps_all_names_one_file(
    state: Path, lab: Lab
) -> None:
    linked = file("d/a", b"linked", mode=0o4755, uid=5, xattrs=(("user.x", b"1"),))
    stack = [
        lab.pack(other("d", DIRECTORY, mode=0o711), linked, link("d/b", "d/a"), link("e", "d/a")),
        lab.pack(file("other", b"")),
        lab.pack(file(".wh.e"), link("new/name", "d/b")),
    ]
    expected = picture_of(tree_of(stack))
    assert expected["d/a"][-1] == ("d/a", "d/b", "new/name")
    assert run_again(state, lab, stack) == expected


@pytest.mark.parametrize("kind", [SYMLINK, FIFO])
def test_a_hard_link_to_a_special_file_of_a_lower_layer_is_kept(
    kind: str, state: Path, lab: Lab
) -> None:
    special = other("d/s", kind, mode=0o777, link="x" if kind == SYMLINK else "")
    stack = [lab.pack(other("d", DIRECTORY), special), lab.pack(link("e", "d/s"))]
    expected = picture_of(tree_of(stack))
    assert expected["e"][-1] == ("d/s", "e")
    assert run_again(state, lab, stack) == expected


@pytest.mark.parametrize("kind", [SYMLINK, FIFO])
def test_special_files_with_several_names_can_be_changed(kind: str, state: Path, lab: Lab) -> None:
    special = other("s1", kind, mode=0o777, link="x" if kind == SYMLINK else "")
    names = [link(name, "s1") for name in ("s2", "s3", "s4")]
    base = [lab.pack(special, file("f"), *names), lab.pack(file(".wh.s3"))]
    snapshotter = OverlaySnapshotter(state, lab.archive)
    for number in range(2):
        workspace = lab.prepare(snapshotter, base)

        def work(root: str, number: int = number) -> None:
            if number:
                os.unlink(f"{root}/s4")  # the one name that is left
                return
            os.lchown(f"{root}/s1", 1, 2)
            os.rename(f"{root}/f", f"{root}/s2")
            os.unlink(f"{root}/s1")

        run(workspace.root, work)
        base.append(lab.pack_changes(workspace, workspace.changes(tree_of(base))))
        workspace.commit(lab.stack(base)[-1].chain_id, base[-1].index)
    assert [(entry.path, entry.uid) for entry in base[-2].index if entry.path] == [
        (".wh.f", 0),
        (".wh.s1", 0),
        ("s2", 0),
        ("s4", 1),
    ]
    assert [entry.path for entry in base[-1].index if entry.path] == [".wh.s4"]


def test_nothing_outside_is_removed_with_what_was_placed(state: Path, lab: Lab) -> None:
    base = [lab.pack(file("a", b"1"), link("d/b", "a"))]
    snapshotter = OverlaySnapshotter(state / "s", lab.archive, index=False)
    workspace = lab.prepare(snapshotter, base)
    assert isinstance(workspace.root, OverlayRoot)
    upper = Path(workspace.root.upper)
    outside = state / "outside"
    outside.mkdir()
    (outside / "b").touch()
    os.rename(upper / "d", upper / "moved")  # as no kernel lets a step do
    (upper / "d").symlink_to(outside)
    workspace.changes(tree_of(base))
    assert (outside / "b").exists()


def test_more_layers_than_an_overlay_takes_are_copied(state: Path, lab: Lab) -> None:
    (state / "work").mkdir()
    HostProbeCache(str(state / "refused.json")).record_success("overlay")
    snapshotter = AutoSnapshotter(
        state,
        lambda: OverlaySnapshotter(state / "overlay", lab.archive),
        lambda: NaiveSnapshotter(state / "naive", lab.archive),
    )
    stack = [lab.pack(file("f", b"content"))] * (MOST_LAYERS + 1)
    assert isinstance(lab.prepare(snapshotter, stack).root, DirectoryRoot)
    assert isinstance(lab.prepare(snapshotter, stack[1:]).root, OverlayRoot)


def test_a_hard_link_to_nothing_is_a_broken_layer(state: Path, lab: Lab) -> None:
    stack = lab.stack([lab.pack(file("a", b"")), lab.pack(link("b", "nowhere"))])
    with pytest.raises(InvalidLayer):
        OverlaySnapshotter(state, lab.archive).prepare(stack, FileTree())
    assert os.listdir(state / "work") == []


def test_more_layers_than_the_kernel_stacks_are_refused(state: Path, lab: Lab) -> None:
    layer = SnapshotLayer(chain_id=fake_chain_id(1), index=FileIndex(()), open=io.BytesIO)
    with pytest.raises(SnapshotterUnavailable, match="501 layers"):
        OverlaySnapshotter(state, lab.archive).prepare([layer] * 501, FileTree())


def test_many_layers_are_unpacked_side_by_side(state: Path, lab: Lab) -> None:
    stack = [
        lab.pack(
            file(f"d{n % 7}/f{n}", b"%d" % n), file("all", b"%d" % n), file(f"d1/.wh.f{n - 7}")
        )
        for n in range(40)
    ]
    assert run_again(state, lab, stack) == picture_of(tree_of(stack))


def test_processes_that_want_the_same_layers_unpack_them_once(state: Path, lab: Lab) -> None:
    stack = lab.stack([lab.pack(file(f"f{n}", b"x" * 999_999)) for n in range(3)])
    log = state / "log"

    def counted(layer: SnapshotLayer) -> SnapshotLayer:
        def opened() -> io.BytesIO:
            with log.open("a") as target:
                target.write("x")
            return layer.open()  # type: ignore[return-value]

        return SnapshotLayer(chain_id=layer.chain_id, index=layer.index, open=opened)

    def prepare() -> None:
        snapshotter = OverlaySnapshotter(state / "s", lab.archive)
        workspace = snapshotter.prepare([counted(layer) for layer in stack], FileTree())
        run(workspace.root, lambda root: Path(root, "f0").read_bytes())
        workspace.discard()

    in_processes(4, prepare)
    assert log.read_text() == "xxx"


def test_a_process_that_is_killed_while_it_unpacks_leaves_nothing_behind(
    state: Path, lab: Lab
) -> None:
    packed = lab.pack(file("f", b"content"))
    [layer] = lab.stack([packed])
    reader, writer = os.pipe()

    def stuck() -> io.BytesIO:
        os.write(writer, b"x")
        time.sleep(60)  # until it is killed
        return io.BytesIO()

    child = os.fork()
    if not child:
        OverlaySnapshotter(state, lab.archive).prepare(
            [SnapshotLayer(chain_id=layer.chain_id, index=layer.index, open=stuck)], FileTree()
        )
        os._exit(0)
    os.read(reader, 1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert os.listdir(state / "layers") == []
    assert len(os.listdir(state / "work")) == 1
    workspace = lab.prepare(OverlaySnapshotter(state, lab.archive), [packed])
    assert len(os.listdir(state / "work")) == 1, "the leftover is swept; this one is ours"
    assert run(workspace.root, os.listdir) == ["f"]


def test_two_steps_may_lead_to_the_same_stack(state: Path, lab: Lab) -> None:
    snapshotter = OverlaySnapshotter(state, lab.archive)
    base = [lab.pack(file("f", b"1"))]
    spaces = [lab.prepare(snapshotter, base) for _ in range(2)]
    for workspace in spaces:
        run(workspace.root, lambda root: Path(root, "g").write_bytes(b"2"))
    packed = lab.pack_changes(spaces[0], spaces[0].changes(tree_of(base)))
    stack = lab.stack([*base, packed])
    for workspace in spaces:
        workspace.commit(stack[-1].chain_id, packed.index)
    assert list(snapshotter.chain_ids()).count(stack[-1].chain_id) == 1
    assert os.listdir(state / "work") == []


def test_directories_deeper_than_a_path_may_be_long_are_refused_and_removed(
    state: Path, lab: Lab
) -> None:
    workspace = OverlaySnapshotter(state, lab.archive).prepare([], FileTree())

    def dig(root: str) -> None:
        os.chdir(root)
        for _ in range(30):
            os.mkdir("d" * 250)
            os.chdir("d" * 250)

    run(workspace.root, dig)
    with pytest.raises(PathTooLong):
        workspace.changes(tree_of([]))
    workspace.discard()
    assert os.listdir(state / "work") == []


def test_mtimes_that_were_cut_in_the_layer_are_cut_in_its_files(state: Path, lab: Lab) -> None:
    snapshotter = OverlaySnapshotter(state, lab.archive)
    workspace = snapshotter.prepare([], FileTree())
    run(workspace.root, lambda root: os.utime(Path(root, "f").write_text("x") and f"{root}/f"))
    changes = workspace.changes(tree_of([]))
    packed = lab.pack_changes(workspace, changes, epoch=OLD // SECOND)
    workspace.commit(lab.stack([packed])[-1].chain_id, packed.index)
    again = lab.prepare(snapshotter, [packed])
    mtime = run(again.root, lambda root: os.stat(f"{root}/f").st_mtime)
    assert mtime == OLD // SECOND


def test_looking_at_an_empty_step_takes_no_time(state: Path, lab: Lab) -> None:
    base = [lab.pack(*(file(f"d{n % 50}/f{n}", b"x") for n in range(5000)))]
    workspace = lab.prepare(OverlaySnapshotter(state, lab.archive), base)
    run(workspace.root, os.listdir)
    tree = tree_of(base)
    started = time.process_time()
    assert workspace.changes(tree) == ()
    assert time.process_time() - started < 0.02  # 0.2 ms on an idle machine
