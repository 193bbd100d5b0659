"""What every snapshotter promises (application/ports/snapshotter.py), tried by doing."""

import os
import shutil
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from img.application.ports.layer_archive import PackedLayer
from img.application.ports.snapshotter import Snapshotter
from img.domain.filesystem.entry import DIRECTORY, FIFO, FILE, HARDLINK, SYMLINK, Entry
from tests.snapshot_lab import (
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

pytestmark = [pytest.mark.userns, needs_overlay]

CAPABILITY = struct.pack("<IIIII", 0x0200_0001, 1 << 10, 0, 0, 0)  # v2, cap_net_bind_service=ep


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


# --- the table of what steps do

Step = Callable[[Callable[[str], str]], object]
STEPS: dict[str, Step] = {}


def step(work: Step) -> Step:
    STEPS[work.__name__] = work
    return work


def write(path: str, content: bytes = b"new content") -> None:
    Path(path).write_bytes(content)


def append(path: str) -> None:
    with open(path, "ab") as target:
        target.write(b"!")


def rewrite_as_it_was(path: str) -> None:
    """Replace a file by an equal one, as dpkg does when it installs again."""
    shutil.copyfile(path, f"{path}.tmp")
    status = os.lstat(path)
    os.chown(f"{path}.tmp", status.st_uid, status.st_gid)
    os.chmod(f"{path}.tmp", status.st_mode & 0o7777)
    os.utime(f"{path}.tmp", ns=(status.st_atime_ns, status.st_mtime_ns))
    os.rename(f"{path}.tmp", path)


def keep_mtime(path: str) -> None:
    os.utime(path, ns=(OLD, OLD))


@step
def nothing(at: Callable[[str], str]) -> None:
    pass


@step
def create(at: Callable[[str], str]) -> None:
    write(at("etc/created"))
    os.makedirs(at("srv/a/b"))
    write(at("srv/a/b/c"))
    os.mkdir(at("srv/empty"))
    write(at("srv/nothing"), b"")


@step
def modify(at: Callable[[str], str]) -> None:
    append(at("etc/conf"))
    append(at("dir/sub/deep"))


@step
def modify_with_the_same_size_and_mtime(at: Callable[[str], str]) -> None:
    write(at("etc/conf"), b"wen")
    keep_mtime(at("etc/conf"))


@step
def write_the_same_content(at: Callable[[str], str]) -> None:
    write(at("etc/conf"), b"new")


@step
def write_the_same_content_and_mtime(at: Callable[[str], str]) -> None:
    write(at("etc/conf"), b"new")
    keep_mtime(at("etc/conf"))
    rewrite_as_it_was(at("dir/one"))
    keep_mtime(at("dir"))


@step
def open_for_writing_only(at: Callable[[str], str]) -> None:
    os.close(os.open(at("etc/conf"), os.O_RDWR))


@step
def change_modes(at: Callable[[str], str]) -> None:
    os.chmod(at("etc/conf"), 0o600)
    os.chmod(at("etc"), 0o2775)
    os.chmod(at("usr/bin/su"), 0o755)
    os.chmod(at("dir/one"), 0o6711)
    os.chmod(at(""), 0o1777)


@step
def change_modes_and_back(at: Callable[[str], str]) -> None:
    for path, mode in (("etc/conf", 0o644), ("dir", 0o755), ("", 0o755)):
        os.chmod(at(path), 0o777)
        os.chmod(at(path), mode)


@step
def change_owners(at: Callable[[str], str]) -> None:
    os.chown(at("etc/conf"), 33, 44)
    os.chown(at("dir/sub"), 1, -1)
    os.lchown(at("bin"), 5, 6)
    os.lchown(at("fifo"), 5, 6)
    os.chown(at("usr/bin/ping"), 0, 0)  # loses its capability


@step
def change_owners_to_what_they_are(at: Callable[[str], str]) -> None:
    for path in ("etc/conf", "dir", "bin", "fifo"):
        os.lchown(at(path), 0, 0)
    os.lchown(at("dir/three"), 1000, 1000)


@step
def touch(at: Callable[[str], str]) -> None:
    os.utime(at("etc/conf"))
    os.utime(at("dir"))
    os.utime(at("bin"), follow_symlinks=False)
    os.utime(at("usr/share/x"), ns=(OLD, OLD + 1))  # not in whole seconds
    os.utime(at("usr/bin"), ns=(OLD, OLD - 5 * SECOND))


@step
def delete_files(at: Callable[[str], str]) -> None:
    os.unlink(at("etc/conf"))
    os.unlink(at("dir/three"))
    os.unlink(at("bin"))
    os.unlink(at("fifo"))


@step
def delete_directories(at: Callable[[str], str]) -> None:
    shutil.rmtree(at("dir"))
    shutil.rmtree(at("full"))


@step
def delete_everything(at: Callable[[str], str]) -> None:
    for name in os.listdir(at("")):
        path = at(name)
        shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)


@step
def delete_what_was_created(at: Callable[[str], str]) -> None:
    write(at("etc/created"))
    os.unlink(at("etc/created"))
    os.mkdir(at("etc/made"))
    os.rmdir(at("etc/made"))
    keep_mtime(at("etc"))


@step
def delete_and_create_again(at: Callable[[str], str]) -> None:
    os.unlink(at("etc/conf"))
    write(at("etc/conf"), b"new")
    keep_mtime(at("etc/conf"))
    keep_mtime(at("etc"))


@step
def replace_a_directory(at: Callable[[str], str]) -> None:
    shutil.rmtree(at("dir"))
    os.mkdir(at("dir"))
    write(at("dir/one"))
    os.mkdir(at("dir/sub"))
    write(at("dir/sub/new"))
    write(at("dir/fresh"))


@step
def replace_a_directory_by_an_equal_one(at: Callable[[str], str]) -> None:
    shutil.copytree(at("dir"), at("copy"), symlinks=True)
    shutil.rmtree(at("dir"))
    os.mkdir(at("dir"))
    write(at("dir/one"), b"one")
    keep_mtime(at("dir/one"))
    keep_mtime(at("dir"))


@step
def a_directory_becomes_a_file(at: Callable[[str], str]) -> None:
    shutil.rmtree(at("dir"))
    write(at("dir"))


@step
def a_file_becomes_a_directory(at: Callable[[str], str]) -> None:
    os.unlink(at("etc/conf"))
    os.mkdir(at("etc/conf"))
    write(at("etc/conf/d"))


@step
def a_directory_becomes_a_link(at: Callable[[str], str]) -> None:
    os.rename(at("etc/conf"), at("etc/moved"))
    shutil.rmtree(at("dir"))
    os.symlink("etc", at("dir"))


@step
def a_link_becomes_a_directory(at: Callable[[str], str]) -> None:
    os.unlink(at("bin"))
    os.mkdir(at("bin"))
    write(at("bin/sh"))


@step
def a_link_leads_elsewhere(at: Callable[[str], str]) -> None:
    os.unlink(at("bin"))
    os.symlink("usr/sbin", at("bin"))
    os.symlink("x" * 300, at("long-link"))


@step
def kinds_change(at: Callable[[str], str]) -> None:
    os.unlink(at("fifo"))
    write(at("fifo"))
    os.unlink(at("etc/conf"))
    os.mkfifo(at("etc/conf"))
    os.unlink(at("dir/one"))
    os.symlink("two", at("dir/one"))


@step
def rename_files(at: Callable[[str], str]) -> None:
    os.rename(at("etc/conf"), at("etc/renamed"))
    os.rename(at("dir/one"), at("dir/three"))
    os.rename(at("bin"), at("sbin"))


@step
def rename_directories(at: Callable[[str], str]) -> None:
    subprocess.run(["mv", at("dir"), at("dir2")], check=True)
    os.mkdir(at("made"))
    os.rename(at("made"), at("etc/made"))


@step
def make_special_files(at: Callable[[str], str]) -> None:
    os.mkfifo(at("etc/pipe"))
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(at("etc"))
        server.bind("socket")
        os.chdir(here)


@step
def a_socket_takes_the_place_of_a_file(at: Callable[[str], str]) -> None:
    os.unlink(at("etc/conf"))
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(at("etc"))
        server.bind("conf")
        os.chdir(here)


@step
def modes_of_new_files(at: Callable[[str], str]) -> None:
    for name, mode in (("setuid", 0o4755), ("setgid", 0o2755), ("none", 0)):
        write(at(f"etc/{name}"))
        os.chown(at(f"etc/{name}"), 12, 34)
        os.chmod(at(f"etc/{name}"), mode)
    os.mkdir(at("etc/sticky"))
    os.chmod(at("etc/sticky"), 0o3777)


@step
def change_xattrs(at: Callable[[str], str]) -> None:
    os.setxattr(at("etc/conf"), "user.mime", b"text/plain\0")
    os.setxattr(at("etc"), "user.dir", b"")
    os.setxattr(at("usr/share/x"), "user.note", b"ho")
    os.setxattr(at("usr/bin/su"), "security.capability", CAPABILITY)
    os.removexattr(at("usr/bin/ping"), "security.capability")


@step
def change_xattrs_and_back(at: Callable[[str], str]) -> None:
    os.setxattr(at("usr/share/x"), "user.note", b"ho")
    os.setxattr(at("usr/share/x"), "user.note", b"hi")
    os.setxattr(at("etc"), "user.dir", b"x")
    os.removexattr(at("etc"), "user.dir")


@step
def set_xattrs_that_are_ours(at: Callable[[str], str]) -> None:
    os.setxattr(at("etc/conf"), "user.img.owner", b"1:1")
    os.setxattr(at("etc/passwd"), "user.fuseoverlayfs.origin", b"x")


@step
def big_and_sparse(at: Callable[[str], str]) -> None:
    write(at("big"), os.urandom(1 << 10) * 3000)
    with open(at("sparse"), "wb") as hole:
        hole.truncate(5 << 20)
    os.truncate(at("etc/passwd"), 0)


@step
def odd_names(at: Callable[[str], str]) -> None:
    for name in ("with space", "new\nline", "\udcfe\udcff", "ü", "-dash", "a\\b", "'", "n" * 255):
        write(at(f"etc/{name}"))
    append(at("odd name\n"))
    os.unlink(at("odd \udcff"))
    deep = at("/".join(["d" * 200] * 10))
    os.makedirs(deep)
    write(f"{deep}/{'f' * 200}")


@step
def order_of_names(at: Callable[[str], str]) -> None:
    for name in ("dir-x", "dir.x", "dir0", "dir/sub-x"):
        write(at(name))
    append(at("dir/sub/deep"))


# --- hard links


@step
def write_through_one_name(at: Callable[[str], str]) -> None:
    append(at("links/b"))


@step
def chmod_one_name(at: Callable[[str], str]) -> None:
    os.chmod(at("links/far/c"), 0o700)


@step
def link_a_file_of_the_base(at: Callable[[str], str]) -> None:
    os.link(at("links/single"), at("etc/another"))


@step
def link_a_linked_file(at: Callable[[str], str]) -> None:
    os.link(at("links/q"), at("a-first"))


@step
def link_new_files(at: Callable[[str], str]) -> None:
    write(at("etc/z"))
    os.link(at("etc/z"), at("etc/y"))
    os.link(at("etc/z"), at("dir/x"))


@step
def delete_one_name(at: Callable[[str], str]) -> None:
    os.unlink(at("links/a"))


@step
def delete_all_names(at: Callable[[str], str]) -> None:
    os.unlink(at("links/p"))
    os.unlink(at("links/q"))


@step
def delete_the_directory_of_one_name(at: Callable[[str], str]) -> None:
    shutil.rmtree(at("links/far"))


@step
def replace_one_name(at: Callable[[str], str]) -> None:
    write(at("links/tmp"))
    os.rename(at("links/tmp"), at("links/b"))


@step
def break_a_link_with_the_same_content(at: Callable[[str], str]) -> None:
    rewrite_as_it_was(at("links/b"))
    rewrite_as_it_was(at("links/p"))
    keep_mtime(at("links"))


@step
def rename_one_name(at: Callable[[str], str]) -> None:
    os.rename(at("links/b"), at("links/z"))


@step
def rename_over_one_name(at: Callable[[str], str]) -> None:
    os.rename(at("etc/conf"), at("links/b"))


@step
def rename_one_name_over_another_file(at: Callable[[str], str]) -> None:
    os.rename(at("links/p"), at("links/far/c"))


@step
def link_across_layers(at: Callable[[str], str]) -> None:
    append(at("links/low"))


@step
def make_two_files_one(at: Callable[[str], str]) -> None:
    os.unlink(at("etc/conf"))
    os.link(at("etc/passwd"), at("etc/conf"))
    os.unlink(at("links/q"))
    os.link(at("links/a"), at("links/q"))


@step
def new_links_to_what_is_no_file(at: Callable[[str], str]) -> None:
    os.symlink("x", at("etc/l1"))
    os.link(at("etc/l1"), at("etc/l2"), follow_symlinks=False)
    os.mkfifo(at("etc/f1"))
    os.link(at("etc/f1"), at("etc/f2"))


# What only an index of the kernel's can tell, so not what an overlay in a user namespace can.
ONLY_WITH_INDEX: dict[str, Step] = {}


def write_and_delete_one_name(at: Callable[[str], str]) -> None:
    append(at("links/b"))
    os.unlink(at("links/b"))


def rename_and_write_one_name(at: Callable[[str], str]) -> None:
    os.rename(at("links/b"), at("links/z"))
    append(at("links/z"))


def write_through_two_names(at: Callable[[str], str]) -> None:
    append(at("links/b"))
    append(at("links/a"))


for work in (write_and_delete_one_name, rename_and_write_one_name, write_through_two_names):
    ONLY_WITH_INDEX[work.__name__] = work


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


@pytest.mark.parametrize("name", STEPS)
def test_the_same_step_gives_the_same_layer_everywhere(name: str, state: Path, lab: Lab) -> None:
    base = a_base(lab)
    work = at_root(STEPS[name])
    first, *others = [outcome(kind, state, lab, base, work) for kind in KINDS]
    for listed in others:
        assert listed == first


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


@needs_index
@thirty
@given(actions=st.lists(ACTIONS, min_size=1, max_size=8))
def test_any_steps_give_the_same_layer_with_an_index(
    actions: list[tuple[str, str, str]], state: Path
) -> None:
    any_steps(state, INDEXED, actions)


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


def test_a_layer_with_a_hard_link_holds_the_file_it_links_to(state: Path, lab: Lab) -> None:
    base = a_base(lab)
    workspace = OVERLAY.make(state, lab.archive).prepare(lab.stack(base))
    run(workspace.root, lambda root: os.link(f"{root}/links/single", f"{root}/etc/another"))
    changes = {entry.path: entry for entry in workspace.changes(tree_of(base))}
    assert changes["etc/another"].kind == FILE
    assert changes["links/single"] == Entry(
        "links/single", HARDLINK, 0o644, mtime=OLD, link="etc/another"
    )
