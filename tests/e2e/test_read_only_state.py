"""A state that one may not write can be read all the same."""

import subprocess
from dataclasses import replace

import pytest

from tests.host import need_root, program
from tests.img_command import Img, ImgFor, WriteContext

pytestmark = pytest.mark.userns

_STATE_ERROR = 8
_READ_ONLY = """
mount --bind "$IMG_STATE" "$IMG_STATE"
mount -o remount,bind,ro "$IMG_STATE"
exec "$@"
"""


@pytest.fixture(params=["of another user", "read-only file system"])
def reader(request: pytest.FixtureRequest, img_for: ImgFor, write_context: WriteContext) -> Img:
    """Return img on the state that root has made, and may not write."""
    owner = img_for("root")
    owner("build", "-q", "-t", "app", write_context("FROM scratch\nCOPY f /\n", {"f": "here"}))
    owner.state.chmod(0o755)
    if request.param == "of another user":
        return img_for("user")
    mounting = ("unshare", "-m", program("sh"), "-ec", _READ_ONLY, "sh")
    return replace(owner, command=(*mounting, *owner.command))


def test_what_reads_works_and_what_writes_says_why_not(
    reader: Img, write_context: WriteContext
) -> None:
    need_root()
    context = write_context("FROM scratch\nCOPY f /g\n")

    assert "docker.io/library/app:latest" in reader("ls").stdout
    assert '"rootfs"' in reader("inspect", "app").stdout
    assert "image docker.io/library/app:latest" in reader("du").stdout
    assert "0 faults left" in reader("fsck").stdout
    reader("save", "-o", "app.tar", "app")
    reader("unpack", "-o", "rootfs", "app")
    assert (reader.home / "rootfs/f").read_text() == "here"
    for writing in (
        ("tag", "app", "other"),
        ("rm", "app"),
        ("prune",),
        ("load", "-i", "app.tar"),
        ("build", "-t", "other", context),
    ):
        assert str(reader.state) in reader(*writing, code=_STATE_ERROR).error_line


def test_a_log_that_a_crash_left_is_read(reader: Img, img_for: ImgFor) -> None:
    need_root()
    late = "INSERT INTO images SELECT 'late.example/x:1', target, created, updated FROM images"
    crash = "import os, sqlite3, sys\ndb = sqlite3.connect(sys.argv[1])\n"
    crash += "db.execute(sys.argv[2])\ndb.commit()\nos._exit(0)"
    python = img_for("root").python
    subprocess.run([python, "-c", crash, reader.state / "state.db", late], check=True)
    assert (reader.state / "state.db-wal").stat().st_size

    assert "late.example/x:1" in reader("ls").stdout
