"""State directories that are refused, and the access of other users to a state."""

import grp
import os
import pwd
import shutil
import stat
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from img.adapters.storage.state_directory import StateAccess, StateNotSafe, open_state
from img.domain.errors import StateError
from tests.support.host.machine import in_memory, lacking, need_root
from tests.unit.adapters.linux.forked import exit_code_of

DEV, EVE, GROUP = 64996, 64998, 64995  # ids without names
OK, FOREIGN, REFUSED = 10, 11, 12


@pytest.fixture
def place() -> Iterator[Path]:
    """Return a directory of root that all users may enter."""
    need_root()
    found = Path(tempfile.mkdtemp(dir=in_memory()))
    found.chmod(0o755)
    yield found
    shutil.rmtree(found)


@contextmanager
def as_user(uid: int, groups: tuple[int, ...] = ()) -> Iterator[None]:
    """Be another user, with the group of the same number, in a process to be thrown away."""
    os.setgroups(groups)
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    yield


def looked_at(path: Path, uid: int = DEV, groups: tuple[int, ...] = ()) -> int:
    """Return the access of a user to ``path``."""

    def work() -> int:
        with as_user(uid, groups):
            return verdict(str(path))

    return exit_code_of(work)


def verdict(path: str) -> int:
    try:
        return {StateAccess.OWN: OK, StateAccess.FOREIGN: FOREIGN}[open_state(path)]
    except StateError:
        return REFUSED


def directory(path: Path, mode: int, owner: int = 0, group: int | None = None) -> Path:
    path.mkdir(exist_ok=True)
    os.chown(path, owner, owner if group is None else group)
    path.chmod(mode)
    return path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


# the owner, and the users that can write it


@pytest.mark.parametrize("modes", [0o700, 0o755, 0o711, 0o2755])
def test_a_state_of_this_user_is_taken(place: Path, modes: int) -> None:
    assert looked_at(directory(place / "state", modes, DEV)) == OK
    assert mode(place / "state") == modes


@pytest.mark.parametrize("modes", [0o777, 0o1777, 0o707, 0o722])
def test_a_state_that_others_can_write_is_refused(place: Path, modes: int) -> None:
    assert looked_at(directory(place / "state", modes, DEV, EVE)) == REFUSED


@pytest.mark.parametrize("owner", [EVE, 0])
def test_a_state_of_another_user_without_images_is_refused(place: Path, owner: int) -> None:
    for modes in (0o700, 0o755, 0o777):
        assert looked_at(directory(place / "state", modes, owner)) == REFUSED


@pytest.mark.parametrize("modes", [0o777, 0o757])
def test_a_parent_that_others_can_write_is_refused(place: Path, modes: int) -> None:
    parent = directory(place / "open", modes, 0, EVE)
    directory(parent / "home", 0o755, DEV)
    directory(parent / "home/state", 0o700, DEV)

    assert looked_at(parent / "home/state") == REFUSED
    assert looked_at(parent / "home/none-yet") == REFUSED


def test_a_parent_of_another_user_is_refused(place: Path) -> None:
    parent = directory(place / "eves", 0o755, EVE)
    directory(parent / "state", 0o700, DEV)

    assert looked_at(parent / "state") == REFUSED
    assert verdict(str(parent / "state")) == REFUSED  # root, too
    assert verdict(str(parent / "none-yet")) == REFUSED


def test_root_takes_no_state_of_a_user(place: Path) -> None:
    state = directory(place / "state", 0o755, DEV)

    assert verdict(str(state)) == REFUSED


def test_the_message_says_which_directory_and_what_to_do(place: Path) -> None:
    parent = directory(place / "open", 0o777)

    with pytest.raises(StateNotSafe) as refused:
        open_state(str(parent / "state"))

    assert refused.value.message == (
        f"the state directory {parent}/state is not safe: other users can write to {parent} "
        "(mode 0777)"
    )
    assert refused.value.hint == (
        f"as its owner, chmod go-w {parent}; or, where no other user runs, as in a pod, set "
        "IMG_STATE_TRUSTED=1; or choose a state directory of your own with --state"
    )
    assert refused.value.exit_code == 8


def test_all_that_has_to_be_changed_is_named_at_once(place: Path) -> None:
    first = directory(place / "builds", 0o777)
    second = directory(first / "group", 0o777)

    with pytest.raises(StateNotSafe) as refused:
        open_state(str(second / "state"))

    assert refused.value.hint is not None
    assert refused.value.hint.startswith(f"as its owner, chmod go-w {first} {second}; ")


# directories like /tmp


def test_in_a_sticky_directory_the_entry_has_to_be_ours(place: Path) -> None:
    shared = directory(place / "tmp", 0o1777)
    directory(shared / "ours", 0o700, DEV)
    directory(shared / "roots", 0o755, 0)
    directory(shared / "roots/state", 0o700, DEV)
    directory(shared / "eves", 0o755, EVE)

    assert looked_at(shared / "ours") == OK
    assert looked_at(shared / "ours/deep/er") == OK
    assert looked_at(shared / "roots/state") == OK
    assert looked_at(shared / "eves") == REFUSED
    assert looked_at(shared / "eves/state") == REFUSED


@pytest.mark.parametrize("umask", [0, 0o022])
def test_in_a_sticky_directory_the_state_is_made_at_once(place: Path, umask: int) -> None:
    shared = directory(place / "tmp", 0o1777)

    def work() -> int:
        os.umask(umask)
        with as_user(DEV):
            return verdict(f"{shared}/img/deep")

    assert exit_code_of(work) == OK
    assert {mode(shared / "img"), mode(shared / "img/deep")} == {0o700}
    assert (shared / "img").stat().st_uid == DEV


def test_elsewhere_nothing_is_made(place: Path) -> None:
    home = directory(place / "home", 0o755, DEV)

    assert looked_at(home / "a/b") == OK
    assert os.listdir(home) == []


# links


def test_a_link_counts_as_what_is_on_the_way(place: Path) -> None:
    home = directory(place / "home", 0o755, DEV)
    shared = directory(place / "tmp", 0o1777)
    target = directory(place / "target", 0o755, DEV)
    directory(target / "state", 0o700, DEV)
    (home / "ours").symlink_to("../target/state")
    (home / "to-shared").symlink_to(shared)
    for name, owner in (("of-eve", EVE), ("of-dev", DEV)):
        (shared / name).symlink_to(target)
        os.lchown(shared / name, owner, owner)
    (home / "through-eve").symlink_to(shared / "of-eve/state")
    (home / "loop").symlink_to("loop")

    assert looked_at(home / "ours") == OK
    assert looked_at(home / "ours/../state") == OK
    assert looked_at(home / "to-shared") == REFUSED
    assert looked_at(shared / "of-dev/state") == OK
    assert looked_at(shared / "of-eve/state") == REFUSED
    assert looked_at(home / "through-eve") == REFUSED
    assert looked_at(home / "loop") == REFUSED


def test_a_state_that_is_a_file_is_refused(place: Path) -> None:
    (place / "state").write_text("")

    with pytest.raises(StateError, match="Not a directory"):
        open_state(str(place / "state"))


# groups


def test_a_group_without_other_members_may_write(place: Path) -> None:
    home = directory(place / "home", 0o775, DEV, DEV)  # as with umask 002
    volume = directory(place / "volume", 0o2775, 0, GROUP)  # as Kubernetes' fsGroup
    openshift = directory(place / "openshift", 0o775, 0, 0)

    assert looked_at(home / "state") == OK
    assert looked_at(home) == OK
    assert looked_at(volume, groups=(GROUP,)) == OK
    assert looked_at(volume / "state", groups=(GROUP,)) == OK
    assert looked_at(openshift / "state", groups=(0,)) == OK


def test_a_group_with_other_members_may_not_write(place: Path) -> None:
    shared = next((g for g in grp.getgrall() if set(g.gr_mem) - {"root"}), None)
    if shared is None:
        lacking("no group here has members in /etc/group")
    first = next(user.pw_gid for user in pwd.getpwall() if user.pw_gid != 0)
    for gid in (shared.gr_gid, first):
        assert looked_at(directory(place / f"{gid}", 0o770, DEV, gid)) == REFUSED


@pytest.mark.parametrize(("uid", "verdict_"), [(EVE, REFUSED), (DEV, OK)])
def test_access_control_lists_are_read(place: Path, uid: int, verdict_: int) -> None:
    home = directory(place / "home", 0o755, DEV)
    user_obj, user, group_obj, mask, other = 1, 2, 4, 0x10, 0x20
    nobody = 0xFFFFFFFF
    entries = [
        (user_obj, 7, nobody),
        (user, 7, uid),
        (group_obj, 5, nobody),
        (mask, 7, nobody),
        (other, 5, nobody),
    ]
    content = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    try:
        os.setxattr(home, "system.posix_acl_access", content)
    except OSError:
        lacking("no access control lists on this file system")

    assert mode(home) == 0o775
    assert looked_at(home / "state") == verdict_


# what is in it


def filled(place: Path) -> Path:
    """Return a state as an older img may have made it, with umask 0."""
    state = directory(place / "state", 0o755, DEV)
    names = ("snapshots", "mounts", "tmp", "incoming", "trash", "blobs", "indexes", "leases")
    for name in (*names, "layout", "layout/blobs", "layout/.img-tmp", "of-a-plugin"):
        directory(state / name, 0o777, DEV)
    for name in ("state.db", "state.db-wal"):
        (state / name).write_text("")
        os.chown(state / name, DEV, DEV)
        (state / name).chmod(0o644)
    return state


def test_all_but_the_layout_is_closed_to_others(place: Path) -> None:
    state = filled(place)

    assert looked_at(state) == OK

    modes = {path.name: mode(path) for path in (*state.iterdir(), state / "layout/.img-tmp")}
    assert modes.pop("of-a-plugin") == 0o777
    assert modes.pop("layout") == mode(state / "layout/blobs") == 0o755
    assert (modes.pop("state.db"), modes.pop("state.db-wal")) == (0o600, 0o600)
    assert set(modes.values()) == {0o700}


def test_what_is_reached_by_a_link_is_closed_as_well(place: Path) -> None:
    state = directory(place / "state", 0o700, DEV)
    disk = directory(place / "disk", 0o755, DEV)
    (state / "snapshots").symlink_to(disk)

    assert looked_at(state) == OK
    assert mode(disk) == 0o700


def test_no_other_users_directory_is_taken_for_a_part_of_the_state(place: Path) -> None:
    state = directory(place / "state", 0o700, DEV)
    directory(state / "snapshots", 0o1777, 0)  # a tmpfs that was mounted there

    assert looked_at(state) == REFUSED
    assert mode(state / "snapshots") == 0o1777


def test_the_machines_tmp_is_not_closed(place: Path) -> None:
    directory(place / "tmp", 0o1777)

    assert verdict(str(place)) == REFUSED  # as --state / would be
    assert mode(place / "tmp") == 0o1777


# another user's


def test_what_a_user_shares_can_be_read(place: Path) -> None:
    state = filled(place)
    (state / "layout/index.json").write_text("{}")
    assert looked_at(state) == OK

    state.chmod(0o711)
    assert looked_at(state, EVE) == FOREIGN
    (state / "layout").chmod(0o700)
    assert looked_at(state, EVE) == REFUSED
    (state / "layout").chmod(0o755)
    state.chmod(0o700)
    assert looked_at(state, EVE) == REFUSED


def test_what_eve_shares_below_her_own_directory_can_be_read(place: Path) -> None:
    home = directory(place / "eves", 0o755, EVE)
    state = directory(home / "state", 0o755, EVE)
    directory(state / "layout", 0o755, EVE)
    (state / "layout/index.json").write_text("{}")

    assert looked_at(state) == FOREIGN
    assert verdict(str(state)) == REFUSED  # root could write there


# user namespaces


def in_namespace(work: Callable[[], int], extents: str) -> int:
    """Return the result of ``work`` as root of a user namespace with these ids."""
    ready, go = os.pipe(), os.pipe()

    def inside() -> int:
        from img.adapters.linux import syscalls

        try:
            syscalls.unshare(syscalls.CLONE_NEWUSER)
        except OSError:
            return 1
        os.write(ready[1], b"1")
        os.read(go[0], 1)
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        return work()

    pid = os.fork()
    if pid == 0:
        code = 255
        try:
            code = inside()
        finally:
            os._exit(code)
    os.close(ready[1])
    if os.read(ready[0], 1):
        for file in ("uid_map", "gid_map"):
            Path(f"/proc/{pid}/{file}").write_text(extents)
        os.write(go[1], b"1")
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    for descriptor in (ready[0], *go):
        os.close(descriptor)
    if code == 1:
        lacking("no user namespaces here")
    return code


@pytest.mark.userns
@pytest.mark.parametrize(
    "extents", [f"0 {DEV} 1\n", f"0 {DEV} 1\n1 200000 65536\n"], ids=["one id", "many ids"]
)
def test_root_of_a_container_takes_what_is_its_own(place: Path, extents: str) -> None:
    """Accept files of unmapped owners, such as / and ``place``; 65534 may be a user inside."""
    state = directory(place / "state", 0o700, DEV)
    directory(place / "of-eve", 0o755, EVE)  # has no id inside, as everything of the machine
    inside = directory(place / "of-nobody", 0o755, 200000 + 65533)
    directory(inside / "state", 0o700, DEV)

    assert in_namespace(lambda: verdict(str(state)), extents) == OK
    if "200000" in extents:  # he is 65534 there, and could change it
        assert in_namespace(lambda: verdict(f"{inside}/state"), extents) == REFUSED
