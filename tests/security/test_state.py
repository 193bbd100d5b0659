"""The state is closed to other users after any first command; they cannot replace it."""

import os
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.host.img_command import Img, ImgFor, WriteContext
from tests.support.host.machine import Account, need_root, program
from tests.support.servers.git_server import GitServer, Repository

pytestmark = pytest.mark.userns

_NEIGHBOUR = 64994  # a user who owns nothing
_STATE_ERROR = 8
_FIRST = [
    *((command, umask) for command in ("build", "doctor") for umask in ("0", "022")),
    *((command, "0") for command in ("prune", "load", "ls")),
]
_DOCKERFILE = """\
FROM scratch
COPY --chmod=4755 busybox /busybox
RUN ["/busybox", "true"]
"""


@pytest.fixture
def context(write_context: WriteContext) -> Path:
    """Return a context of which a set-user-ID program is made, in a root that is unpacked."""
    need_root()
    return write_context(_DOCKERFILE, {"busybox": Path(program("busybox")).read_bytes()})


@pytest.fixture(params=["root", "user"])
def owner(request: pytest.FixtureRequest, img_for: ImgFor) -> Img:
    """Return img with a state that does not exist yet, nor what is above it."""
    need_root()
    img = img_for(request.param)
    return img.with_state(img.home / "new/deep/state")


def with_umask(img: Img, umask: str) -> Img:
    return replace(img, command=("sh", "-c", f'umask {umask}; exec "$@"', "sh", *img.command))


def as_neighbour(*command: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        user=_NEIGHBOUR,
        group=_NEIGHBOUR,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )


def open_to_others(state: Path) -> list[str]:
    """Return the files of a state that other users can access, except below closed directories."""
    found = [state, *state.iterdir()]
    return [f"{path} {path.stat().st_mode:o}" for path in found if path.stat().st_mode & 0o077]


def programs_in(state: Path) -> list[Path]:
    return [path for path in state.rglob("busybox") if path.lstat().st_mode & stat.S_ISUID]


@pytest.mark.parametrize(("first", "umask"), _FIRST)
def test_whatever_comes_first_makes_it_private(
    first: str, umask: str, owner: Img, context: Path
) -> None:
    img = with_umask(owner, umask)
    match first:
        case "build":
            img("build", "-q", "-t", "app", context)
        case "load":
            img("load", "-i", "/dev/null", code=5)
        case _:
            img(first)
    img("build", "-q", "-t", "app", context)

    assert open_to_others(owner.state) == []
    for above in (owner.state.parent, owner.state.parent.parent):
        assert not above.stat().st_mode & 0o022
    assert programs_in(owner.state)


def test_in_a_state_that_is_open_all_is_closed(owner: Img, context: Path) -> None:
    owner("build", "-q", "-t", "app", context)
    for path in (owner.state.parent.parent, owner.state.parent, owner.state):
        path.chmod(0o755)
    for path in owner.state.iterdir():  # as an older img made them
        path.chmod(0o755 if path.is_dir() else 0o644)
    (suid,) = programs_in(owner.state)
    database = owner.state / "state.db"
    assert as_neighbour("test", "-r", database).returncode == 0

    owner("ls")

    assert owner.state.stat().st_mode & 0o777 == 0o755  # its other contents are unknown
    assert as_neighbour("test", "-r", database).returncode == 1
    for command in ((suid, "id"), ("ls", owner.state / "snapshots"), ("cat", database)):
        try:
            assert as_neighbour(*command).returncode != 0
        except PermissionError:  # of exec
            continue
    left = as_neighbour("find", owner.state, "-type", "f", "-readable").stdout.splitlines()
    assert left == []


def test_a_state_that_is_shared_has_no_programs_in_reach(owner: Img, context: Path) -> None:
    owner = owner.with_environment(IMG_STORE="oci-layout")
    owner("build", "-q", "-t", "app", context)
    for path in (owner.state.parent.parent, owner.state.parent):
        path.chmod(0o755)
    owner.state.chmod(0o755)
    (owner.state / "layout").chmod(0o755)

    found = as_neighbour(
        "find", owner.state, "-type", "f", "-readable", "-printf", "%m %P\n"
    ).stdout
    names = {line.partition(" ")[2] for line in found.splitlines()}
    assert {"layout/oci-layout", "layout/index.json"} <= names
    assert all(name.startswith("layout/") for name in names)
    assert {line.partition(" ")[0] for line in found.splitlines()} == {"644"}


_OWN_TMP = 'mount --bind "$0" /tmp; exec "$@"'


@pytest.fixture
def tmp(workplace: Path) -> Path:
    """Return the /tmp of ``homeless``."""
    tmp = workplace / "tmp"
    tmp.mkdir()
    tmp.chmod(0o1777)
    return tmp


@pytest.fixture
def homeless(img_for: ImgFor, user: Account, tmp: Path) -> Img:
    """Return img of a user without $HOME and $IMG_STATE; ``state`` is where it has to be."""
    img = img_for("user")
    become = (program("setpriv"), f"--reuid={user.uid}", f"--regid={user.gid}", "--init-groups")
    bare = ("env", "-u", "HOME", "-u", "IMG_STATE")
    command = ("unshare", "-m", "sh", "-ec", _OWN_TMP, tmp, *become, *bare, *img.command)
    root = img_for("root", "unused").account
    return replace(img, command=command, account=root, state=tmp / f"img-{user.uid}")


def test_without_a_home_the_state_is_the_users_own(
    homeless: Img, user: Account, context: Path
) -> None:
    with_umask(homeless, "0")("build", "-q", "-t", "app", context)

    assert open_to_others(homeless.state) == []
    assert homeless.state.stat().st_uid == user.uid


@pytest.mark.parametrize("kind", ["directory", "link"])
def test_nobody_else_can_put_one_there_first(
    kind: str, homeless: Img, workplace: Path, context: Path
) -> None:
    trap = workplace / "trap" if kind == "link" else homeless.state
    trap.mkdir()
    os.chown(trap, _NEIGHBOUR, _NEIGHBOUR)
    trap.chmod(0o777)
    if kind == "link":
        homeless.state.symlink_to(trap)
        os.lchown(homeless.state, _NEIGHBOUR, _NEIGHBOUR)

    for command in (("ls",), ("build", "-t", "app", context), ("doctor",)):
        line = homeless(*command, code=_STATE_ERROR).error_line
        assert f"the state directory /tmp/{homeless.state.name} is not safe" in line
        assert "--state" in line

    assert list(trap.iterdir()) == []


def test_a_state_below_what_others_can_write_is_refused(
    owner: Img,
    workplace: Path,
    context: Path,
) -> None:
    shared = workplace / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    img = owner.with_state(shared / "state")

    line = img("build", "-t", "app", context, code=_STATE_ERROR).error_line
    assert f"other users can write to {shared} (mode 0777)" in line
    assert f"chmod go-w {shared}" in line
    assert list(shared.iterdir()) == []

    shared.chmod(0o1777)
    img("build", "-q", "-t", "app", context)
    assert open_to_others(img.state) == []


@pytest.mark.parametrize("below", ["", "state"])
def test_who_vouches_for_a_volume_may_use_it(
    owner: Img, workplace: Path, context: Path, below: str
) -> None:
    volume = workplace / "volume"
    volume.mkdir()
    volume.chmod(0o777)
    img = owner.with_state(volume / below).with_environment(IMG_STATE_TRUSTED="1")

    img("build", "-q", "-t", "app", context)

    inside = [each for each in open_to_others(img.state) if f"{img.state}/" in each]
    assert inside == []


def test_what_touches_no_state_does_not_mind(owner: Img, workplace: Path) -> None:
    img = owner.with_state(workplace / "shared/state")
    img.state.parent.mkdir()
    img.state.parent.chmod(0o777)

    img("version")
    img("logout", "registry.example.com:5000")
    assert not img.state.exists()


def test_a_relative_state_is_one_place(owner: Img, workplace: Path) -> None:
    """Git runs in a directory of its own."""
    program("git")
    repository = Repository(workplace / "served/repository")
    repository.commit({"Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"})

    with GitServer(workplace / "served", smart=False) as server:
        url = f"{server.url}/repository/.git"
        owner("--state", "relative", "build", "-q", "-t", "app", url)

    assert (owner.home / "relative/state.db").exists()
