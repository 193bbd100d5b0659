"""What every snapshotter promises (application/ports/snapshotter.py), tried by doing."""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from img.adapters.linux.syscalls import MNT_DETACH, umount2
from img.adapters.snapshotter.memory import MemorySnapshotter
from img.application.ports.layer_archive import PackedLayer
from img.application.ports.snapshotter import Snapshotter
from img.domain.filesystem.entry import DIRECTORY, FIFO, FILE, HARDLINK, SYMLINK, Entry
from img.domain.process import DirectoryRoot
from tests.snapshot_lab import (
    FUSE,
    INDEXED,
    KINDS,
    NAIVE,
    OLD,
    OVERLAY,
    SECOND,
    Kind,
    Lab,
    Mutation,
    Picture,
    described,
    file,
    link,
    needs_index,
    needs_overlay,
    other,
    picture,
    picture_of,
    run,
    tree_of,
)
from tests.snapshot_steps import CAPABILITY, ONLY_WITH_INDEX, STEPS, Step, write

Test = TypeVar("Test")

# What fuse-overlayfs 1.10 itself does otherwise: it does not copy fifos up, gives symbolic links
# that it copies a new mtime, takes no longest names, cannot show what a step sees of hard links,
# and hides when a directory was touched or the last change in it was a replacement.
FUSE_DIFFERS = {
    "change_owners",
    "change_owners_to_what_they_are",
    "make_two_files_one",
    "odd_names",
    "rename_files",
    "rename_one_name",
    "rename_one_name_over_another_file",
    "rename_over_one_name",
    "replace_a_directory",
    "set_xattrs_that_are_ours",
    "touch",
}


def real(test: Test) -> Test:
    """Mark what mounts overlays and needs root for it."""
    return cast(Test, pytest.mark.userns(needs_overlay(test)))


@pytest.fixture
def lab() -> Lab:
    return Lab()


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A directory on a file system in memory: these tests make many files."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    path = Path(f"/dev/shm/img-test-{os.getpid()}-{os.urandom(4).hex()}")
    path.mkdir()
    yield path
    for line in Path("/proc/self/mounts").read_text().splitlines():
        mounted = line.split(" ")[1].replace("\\040", " ")
        if mounted.startswith(f"{path}/"):  # of a workspace that a test gave up
            umount2(mounted, MNT_DETACH)
    shutil.rmtree(path)


def a_base(lab: Lab) -> list[PackedLayer]:
    """Three layers with something of everything."""
    first = lab.pack(
        other("", DIRECTORY),
        other("bin", SYMLINK, mode=0o777, link="usr/bin"),
        other("dir", DIRECTORY),
        file("dir/one", b"one"),
        other("dir/sub", DIRECTORY, mode=0o700, uid=7, gid=8),
        file("dir/sub/deep", b"deep"),
        file("dir/two", b"two"),
        other("etc", DIRECTORY),
        file("etc/conf", b"old"),
        file("etc/passwd", b"root:x:0:0::/root:/bin/sh\n"),
        other("fifo", FIFO, mode=0o600),
        file("full/full", b"f"),
        file("gone/a", b"a"),
        file("gone/b", b"b"),
        other("links", DIRECTORY),
        file("links/a", b"linked", mode=0o755),
        link("links/b", "links/a"),
        other("links/far", DIRECTORY),
        link("links/far/c", "links/a"),
        file("links/p", b"pair"),
        link("links/q", "links/p"),
        file("links/single", b"single"),
        file("usr/bin/ping", b"ping", mode=0o755, xattrs=(("security.capability", CAPABILITY),)),
        file("usr/bin/su", b"su", mode=0o4755),
        file("usr/share/x", b"x", xattrs=(("user.note", b"hi"),)),
    )
    second = lab.pack(
        file("dir/.wh.two"),
        file("dir/three", b"three", uid=1000, gid=1000),
        file("etc/conf", b"new"),
        file("full/.wh..wh..opq"),
        file("full/other", b"o"),
        file(".wh.gone"),
        file("links/low", b"low"),
    )
    third = lab.pack(
        other("gone", DIRECTORY, mode=0o711),
        file("gone/c", b"c"),
        link("links/high", "links/low"),
        file("odd name\n", b"odd"),
        file("odd \udcff", b"bytes"),
    )
    return [first, second, third]


# --- the promises


def at_root(work: Step) -> Mutation:
    return lambda root: work(lambda path: f"{root}/{path}" if path else root)


def outcome(
    kind: Kind, state: Path, lab: Lab, base: list[PackedLayer], work: Mutation
) -> list[object]:
    """Return the described changes that ``work`` makes, after all other promises were tried."""
    snapshotter = kind.make(state / kind.name, lab.archive)
    workspace = snapshotter.prepare(lab.stack(base))
    after = run(workspace.root, lambda root: (work(root), picture(root))[1], index=kind.index)
    changes = workspace.changes(tree_of(base))
    assert list(changes) == sorted(changes, key=lambda entry: entry.path)
    assert changes == workspace.changes(tree_of(base)), "asking twice changes the answer"
    packed = lab.pack_changes(workspace, changes)
    stack = [*base, packed]
    expected = picture_of(tree_of(stack))
    if kind.index:  # else hard links are mended after the step
        assert expected == after
    workspace.commit(lab.stack(stack)[-1].chain_id, packed.index)
    assert_unpacked(snapshotter, kind, lab, stack, expected, fresh=False)
    for fresh in (OVERLAY, NAIVE):
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
    workspace = snapshotter.prepare(lab.stack(stack))
    assert bool(lab.opened) == fresh, "what was committed is unpacked again"
    assert run(workspace.root, picture, index=kind.index) == expected
    assert list(workspace.changes(tree_of(stack))) == []
    workspace.discard()


@real
@pytest.mark.parametrize("name", STEPS)
def test_the_same_step_gives_the_same_layer_everywhere(name: str, state: Path, lab: Lab) -> None:
    base = a_base(lab)
    work = at_root(STEPS[name])
    kinds = [kind for kind in KINDS if kind is not FUSE or name not in FUSE_DIFFERS]
    first, *others = [outcome(kind, state, lab, base, work) for kind in kinds]
    for listed in others:
        assert listed == first


@real
@needs_index
@pytest.mark.parametrize("name", ONLY_WITH_INDEX)
def test_with_an_index_hard_links_are_as_in_a_plain_directory(
    name: str, state: Path, lab: Lab
) -> None:
    base = a_base(lab)
    work = at_root(ONLY_WITH_INDEX[name])
    indexed, plain = [outcome(kind, state, lab, base, work) for kind in (INDEXED, NAIVE)]
    assert indexed == plain


NAMES = st.sampled_from(
    [
        "etc/conf",
        "dir",
        "dir/one",
        "dir/sub",
        "links/a",
        "links/b",
        "links/p",
        "new",
        "new/x",
        "bin",
    ]
)
ACTIONS = st.one_of(
    st.tuples(st.just("write"), NAMES, st.sampled_from(["one", "other"])),
    st.tuples(st.just("mkdir"), NAMES, st.just("")),
    st.tuples(st.just("delete"), NAMES, st.just("")),
    st.tuples(st.just("chmod"), NAMES, st.sampled_from(["600", "755"])),
    st.tuples(st.just("symlink"), NAMES, st.sampled_from(["etc", "nowhere"])),
    st.tuples(st.just("link"), NAMES, NAMES),
    st.tuples(st.just("rename"), NAMES, NAMES),
)


def act(root: str, action: tuple[str, str, str]) -> None:
    verb, name, argument = action
    path = f"{root}/{name}"
    # Links among the parents would lead out of the root: no chroot here.
    if os.path.islink(os.path.dirname(path)):
        return
    try:
        match verb:
            case "write":
                with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW), "ab") as target:
                    target.write(argument.encode())
            case "mkdir":
                os.mkdir(path)
            case "delete" if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            case "delete":
                os.unlink(path)
            case "chmod" if not os.path.islink(path):
                os.chmod(path, int(argument, 8))
            case "symlink":
                os.symlink(argument, path)
            case "link" if not os.path.islink(os.path.dirname(f"{root}/{argument}")):
                os.link(path, f"{root}/{argument}", follow_symlinks=False)
            # Directories of the base cannot be renamed in an overlay (EXDEV): mv(1) copies.
            case "rename" if not os.path.isdir(path) or os.path.islink(path):
                if not os.path.islink(os.path.dirname(f"{root}/{argument}")):
                    os.rename(path, f"{root}/{argument}")
    except OSError:
        return  # what fails, fails everywhere


def any_steps(state: Path, kind: Kind, actions: list[tuple[str, str, str]]) -> None:
    lab = Lab()
    base = a_base(lab)
    place = state / os.urandom(6).hex()

    def work(root: str) -> None:
        for action in actions:
            act(root, action)

    overlay, plain = [outcome(each, place, lab, base, work) for each in (kind, NAIVE)]
    assert overlay == plain


thirty = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@real
@needs_index
@thirty
@given(actions=st.lists(ACTIONS, min_size=1, max_size=8))
def test_any_steps_give_the_same_layer_with_an_index(
    actions: list[tuple[str, str, str]], state: Path
) -> None:
    any_steps(state, INDEXED, actions)


@real
@thirty
@given(actions=st.lists(ACTIONS, min_size=1, max_size=8))
def test_any_steps_but_those_on_hard_links_give_the_same_layer_without_an_index(
    actions: list[tuple[str, str, str]], state: Path
) -> None:
    any_steps(state, OVERLAY, [a for a in actions if "links/" not in a[1] + a[2]])


def commit_nothing(
    snapshotter: Snapshotter, lab: Lab, base: list[PackedLayer]
) -> list[PackedLayer]:
    """Return the stack that a step without changes leads to."""
    workspace = snapshotter.prepare(lab.stack(base))
    run(workspace.root, os.listdir)
    stack = [*base, lab.pack_changes(workspace, workspace.changes(tree_of(base)))]
    workspace.commit(lab.stack(stack)[-1].chain_id, stack[-1].index)
    return stack


@real
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
class TestEverySnapshotter:
    def test_starts_from_nothing(self, kind: Kind, state: Path, lab: Lab) -> None:
        snapshotter = kind.make(state, lab.archive)
        workspace = snapshotter.prepare([])
        run(workspace.root, lambda root: Path(root, "hello").write_bytes(b"hi"))
        listed = [(e.path, e.kind, e.size) for e in workspace.changes(tree_of([]))]
        assert listed == [("", DIRECTORY, 0), ("hello", FILE, 2)]

    def test_lists_nothing_when_nothing_was_done(self, kind: Kind, state: Path, lab: Lab) -> None:
        base = a_base(lab)
        workspace = kind.make(state, lab.archive).prepare(lab.stack(base))
        run(workspace.root, os.listdir)
        assert list(workspace.changes(tree_of(base))) == []

    def test_keeps_what_was_committed_across_processes(
        self, kind: Kind, state: Path, lab: Lab
    ) -> None:
        base = a_base(lab)
        stack = commit_nothing(kind.make(state, lab.archive), lab, base)
        lab.opened.clear()
        kind.make(state, lab.archive).prepare(lab.stack(stack))
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
        workspace = snapshotter.prepare(lab.stack(base))
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

    def test_gives_each_step_a_root_of_its_own(self, kind: Kind, state: Path, lab: Lab) -> None:
        base = a_base(lab)
        snapshotter = kind.make(state, lab.archive)
        one, two = snapshotter.prepare(lab.stack(base)), snapshotter.prepare(lab.stack(base))
        run(one.root, lambda root: Path(root, "etc/one").write_bytes(b"1"))
        assert list(two.changes(tree_of(base))) == []
        assert [e.path for e in one.changes(tree_of(base))] == ["etc", "etc/one"]

    def test_leaves_nothing_of_a_step_that_was_given_up(
        self, kind: Kind, state: Path, lab: Lab
    ) -> None:
        base = a_base(lab)
        workspace = kind.make(state, lab.archive).prepare(lab.stack(base))
        run(workspace.root, lambda root: Path(root, "etc/one").write_bytes(b"1"))
        workspace.discard()
        workspace.discard()
        assert os.listdir(state / "work") == []

    def test_may_discard_after_a_commit(self, kind: Kind, state: Path, lab: Lab) -> None:
        base = a_base(lab)
        snapshotter = kind.make(state, lab.archive)
        workspace = snapshotter.prepare(lab.stack(base))
        run(workspace.root, lambda root: Path(root, "etc/one").write_bytes(b"1"))
        packed = lab.pack_changes(workspace, workspace.changes(tree_of(base)))
        stack = [*base, packed]
        workspace.commit(lab.stack(stack)[-1].chain_id, packed.index)
        workspace.discard()
        lab.opened.clear()
        snapshotter.prepare(lab.stack(stack))
        assert lab.opened == []

    def test_sweeps_what_a_crash_left(self, kind: Kind, state: Path, lab: Lab) -> None:
        leftover = state / "work" / "0123"
        (leftover / "upper" / "locked").mkdir(parents=True)
        (leftover / "upper" / "locked").chmod(0)
        kind.make(state, lab.archive).prepare([]).discard()
        assert not leftover.exists()

    def test_does_not_sweep_what_another_one_works_in(
        self, kind: Kind, state: Path, lab: Lab
    ) -> None:
        base = a_base(lab)
        workspace = kind.make(state, lab.archive).prepare(lab.stack(base))
        kind.make(state, lab.archive).prepare(lab.stack(base)).discard()
        run(workspace.root, lambda root: Path(root, "etc/one").write_bytes(b"1"))
        assert [e.path for e in workspace.changes(tree_of(base))] == ["etc", "etc/one"]

    def test_shows_the_next_step_the_mtimes_of_the_layer(
        self, kind: Kind, state: Path, lab: Lab
    ) -> None:
        base = a_base(lab)
        snapshotter = kind.make(state, lab.archive)
        workspace = snapshotter.prepare(lab.stack(base))

        def work(root: str) -> None:
            write(f"{root}/etc/one")
            os.symlink("x", f"{root}/etc/two")
            os.link(f"{root}/etc/one", f"{root}/etc/three")

        run(workspace.root, work)
        changes = workspace.changes(tree_of(base))
        packed = lab.pack_changes(workspace, changes, epoch=OLD // SECOND + 9)
        stack = [*base, packed]
        workspace.commit(lab.stack(stack)[-1].chain_id, packed.index)
        following = snapshotter.prepare(lab.stack(stack))
        assert run(following.root, picture, index=kind.index) == picture_of(tree_of(stack))
        assert list(following.changes(tree_of(stack))) == []

    def test_follows_no_link_when_a_file_is_opened(self, kind: Kind, state: Path, lab: Lab) -> None:
        workspace = kind.make(state, lab.archive).prepare([])
        run(workspace.root, lambda root: os.symlink("/etc/passwd", f"{root}/out"))
        with pytest.raises(OSError, match="symbolic links"):
            workspace.open("out")
        workspace.discard()


@real
def test_a_layer_with_a_hard_link_holds_the_file_it_links_to(state: Path, lab: Lab) -> None:
    base = a_base(lab)
    workspace = OVERLAY.make(state, lab.archive).prepare(lab.stack(base))
    run(workspace.root, lambda root: os.link(f"{root}/links/single", f"{root}/etc/another"))
    changes = {entry.path: entry for entry in workspace.changes(tree_of(base))}
    assert changes["etc/another"].kind == FILE
    assert changes["links/single"] == Entry(
        "links/single", HARDLINK, 0o644, mtime=OLD, link="etc/another"
    )


# --- promises that need no kernel: for the snapshotter in memory as well


class Hand(Protocol):
    """What does a step's work, in a directory or in a MemoryWorkspace."""

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
    workspace = MemorySnapshotter(lab.archive).prepare(lab.stack(base))
    work(workspace)
    packed = lab.pack_changes(workspace, workspace.changes(tree_of(base)))
    following = MemorySnapshotter(lab.archive).prepare(lab.stack([*base, packed]))
    assert list(following.changes(tree_of([*base, packed]))) == []


@real
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("work", WORK.values(), ids=WORK)
def test_in_memory_a_step_gives_the_layer_that_real_files_give(
    work: Callable[[Hand], None], kind: Kind, state: Path, lab: Lab
) -> None:
    base = a_base(lab)
    memory = MemorySnapshotter(lab.archive).prepare(lab.stack(base))
    work(memory)
    workspace = kind.make(state, lab.archive).prepare(lab.stack(base))
    run(workspace.root, lambda root: work(DirectoryHand(root)), index=kind.index)
    assert list(workspace.changes(tree_of(base))) == list(memory.changes(tree_of(base)))


def test_in_memory_content_of_the_base_can_be_read(lab: Lab) -> None:
    base = a_base(lab)
    workspace = MemorySnapshotter(lab.archive).prepare(lab.stack(base))
    workspace.write("etc/new", b"written")
    with workspace.open("links/far/c") as old, workspace.open("etc/new") as new:
        assert (old.read(), new.read()) == (b"linked", b"written")


def test_in_memory_stacks_are_remembered_and_forgotten(lab: Lab) -> None:
    base = a_base(lab)
    snapshotter = MemorySnapshotter(lab.archive)
    workspace = snapshotter.prepare(lab.stack(base))
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
