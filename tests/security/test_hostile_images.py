"""Hostile images, built by every executor and kind of user: nothing outside is touched.

Hypothesis makes passwd and group files, configs, links, special files and modes in all places
that img or an executor uses, and Dockerfiles on them. The markers are written, read, changed,
not executed; the host's devices do not change; an outcome is a result or an ImgError.
$IMG_FUZZ_IMAGES says how many images in place of the number here, $IMG_FUZZ_SEED which ones.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.host import accounts
from tests.support.host.machine import (
    REPOSITORY,
    in_memory,
    kill_processes_naming,
    mounts_naming,
    need_root,
    processes_naming,
    program,
)
from tests.support.host.waiting import wait_while
from tests.support.steps.own_dev import OWN_DEV

pytestmark = pytest.mark.userns

_PATIENCE_S = 30.0
_NAMELESS = 64996  # a user without a name and ids
_WAYS = {
    # number of images by user and executor; some take longer than others
    ("root", "unshare"): 30,
    ("user", "unshare"): 20,
    ("one-id", "unshare"): 20,
    ("root", "chroot"): 20,
    ("root", "crun"): 8,
    ("root", "runc"): 8,
}
_SHARE = 1 if "IMG_TESTS_ALL" in os.environ else 2


@pytest.fixture
def place() -> Iterator[Path]:
    """Return a directory for all users; a process that still runs there at the end is a fault."""
    made = Path(tempfile.mkdtemp(prefix="img-images-", dir=in_memory()))
    made.chmod(0o755)
    yield made
    left = wait_while(  # killed processes and their mounts go in a moment
        lambda: [*processes_naming(str(made)), *mounts_naming(str(made))], patience_s=_PATIENCE_S
    )
    kill_processes_naming(str(made))
    shutil.rmtree(made)
    assert left == []


@pytest.mark.parametrize(("who", "executor"), _WAYS, ids=map("-".join, _WAYS))
def test_nothing_that_an_image_or_a_dockerfile_says_gets_out(
    who: str, executor: str, place: Path
) -> None:
    need_root()
    if executor in ("crun", "runc"):
        program(executor)
    program("busybox")
    count = int(os.environ.get("IMG_FUZZ_IMAGES", _WAYS[who, executor] // _SHARE))
    built = place / "built"
    (built / "home").mkdir(parents=True)
    done = subprocess.run(
        [
            *("unshare", "--mount", "sh", "-c", OWN_DEV, "sh", *_become(who, built)),
            *(sys.executable, "-m", "tests.security.build_images", executor, str(built)),
            *("--count", str(count)),
            *(("--seed", seed) if (seed := os.environ.get("IMG_FUZZ_SEED")) else ()),
        ],
        env={
            "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin",
            "HOME": str(built / "home"),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-8000:]
    outcomes = json.loads(done.stdout.splitlines()[-1])
    assert sum(outcomes.values()) >= count
    assert outcomes["built"] >= count // 4, outcomes  # or little is tried


def _become(who: str, directory: Path) -> list[str]:
    """Return the prefix of a command for a kind of user, with ``directory``."""
    if who == "root":
        return []
    if who == "one-id":
        uid, gid, groups = _NAMELESS, _NAMELESS, "--clear-groups"
    else:
        account = accounts.user()
        uid, gid, groups = account.uid, account.gid, "--clear-groups"
    for path in (directory, directory / "home"):
        os.chown(path, uid, gid)
    return [program("setpriv"), f"--reuid={uid}", f"--regid={gid}", groups]
