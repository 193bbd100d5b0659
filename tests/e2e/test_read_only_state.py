"""A state that one may not write can be read all the same; another user's if it is shared."""

import subprocess
from dataclasses import replace

import pytest

from tests.support.host.img_command import Img, ImgFor, WriteContext
from tests.support.host.machine import need_root, program

pytestmark = pytest.mark.userns

_STATE_ERROR = 8
_READ_ONLY = """
mount --bind "$IMG_STATE" "$IMG_STATE"
mount -o remount,bind,ro "$IMG_STATE"
exec "$@"
"""


@pytest.fixture
def context(write_context: WriteContext) -> str:
    return str(write_context("FROM scratch\nCOPY f /\n", {"f": "here"}))


def read_only(owner: Img) -> Img:
    """Return img, run by the same user, on a read-only state."""
    mounting = ("unshare", "-m", program("sh"), "-ec", _READ_ONLY, "sh")
    return replace(owner, command=(*mounting, *owner.command))


@pytest.fixture(params=["of another user", "read-only file system"])
def reader(request: pytest.FixtureRequest, img_for: ImgFor, context: str) -> Img:
    """Return img on the state that root has made, and may not write."""
    need_root()
    owner = img_for("root")
    if request.param == "read-only file system":
        owner("build", "-q", "-t", "app", context)
        return read_only(owner)
    owner.with_environment(IMG_STORE="oci-layout")("build", "-q", "-t", "app", context)
    owner.state.chmod(0o711)
    (owner.state / "layout").chmod(0o755)
    return img_for("user", "own-state").with_state(owner.state)


def test_what_reads_works_and_what_writes_says_why_not(
    reader: Img, write_context: WriteContext
) -> None:
    context = write_context("FROM scratch\nCOPY f /g\n", {"f": ""}, "other")

    assert "docker.io/library/app:latest" in reader("ls").stdout
    assert '"RootFS"' in reader("inspect", "app").stdout
    assert "image docker.io/library/app:latest" in reader("du").stdout
    assert "0 faults left" in reader("fsck").stdout
    reader("save", "-o", "app.tar", "app")
    reader("unpack", "-o", "rootfs", "app")
    assert (reader.home / "rootfs/f").read_text() == "here"
    for writing in (
        ("tag", "app", "other"),
        ("rm", "app"),
        ("prune",),
        ("fsck", "--repair"),
        ("load", "-i", "app.tar"),
        ("build", "-t", "other", context),
    ):
        assert str(reader.state) in reader(*writing, code=_STATE_ERROR).error_line


def test_a_log_that_a_crash_left_is_read(img_for: ImgFor, context: str) -> None:
    need_root()
    owner = img_for("root")
    owner("build", "-q", "-t", "app", context)
    late = "INSERT INTO images SELECT 'late.example/x:1', target, created, updated FROM images"
    crash = "import os, sqlite3, sys\ndb = sqlite3.connect(sys.argv[1])\n"
    crash += "db.execute(sys.argv[2])\ndb.commit()\nos._exit(0)"
    subprocess.run([owner.python, "-c", crash, owner.state / "state.db", late], check=True)
    assert (owner.state / "state.db-wal").stat().st_size

    assert "late.example/x:1" in read_only(owner)("ls").stdout


def test_what_is_not_shared_is_refused_in_one_line(img_for: ImgFor, context: str) -> None:
    need_root()
    owner = img_for("root")
    reader = img_for("user", "own-state").with_state(owner.state)
    owner("build", "-q", "-t", "app", context)
    for mode in (0o700, 0o755):
        owner.state.chmod(mode)
        for command in (("ls",), ("save", "-o", "app.tar", "app"), ("build", "-t", "b", context)):
            line = reader(*command, code=_STATE_ERROR).error_line
            assert f"{owner.state} belongs to another user (root), who shares no images" in line


def test_what_is_shared_is_a_base_for_others(
    img_for: ImgFor, context: str, write_context: WriteContext
) -> None:
    need_root()
    owner = img_for("root").with_environment(IMG_STORE="oci-layout")
    owner("build", "-q", "-t", "app", context)
    owner.state.chmod(0o711)
    (owner.state / "layout").chmod(0o755)
    user = img_for("user", "own-state")
    base = f"base=oci-layout://{owner.state}/layout:latest"

    other = write_context("FROM base\nCOPY g /\n", {"g": "on top"}, "other")
    user("build", "-q", "--build-context", base, "-t", "mine", other)

    user("unpack", "-o", "rootfs", "mine")
    assert {path.name for path in (user.home / "rootfs").iterdir()} == {"f", "g"}
