"""The same step gives the same layer, whatever the snapshotter."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from img.application.ports.layer_archive import PackedLayer
from img.application.ports.snapshotter import Snapshotter
from tests.snapshot_base import a_base, real
from tests.snapshot_lab import (
    FUSE,
    INDEXED,
    KINDS,
    NAIVE,
    OVERLAY,
    Kind,
    Lab,
    Mutation,
    Picture,
    described,
    needs_index,
    picture,
    picture_of,
    run,
    tree_of,
)
from tests.snapshot_steps import ONLY_WITH_INDEX, STEPS, Step

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
