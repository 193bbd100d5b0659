"""Tests in a user namespace with one id, as a user without subordinate ids."""

import os
import subprocess
import sys

import pytest

from tests.support.host.kinds import KINDS
from tests.support.host.machine import REPOSITORY, lacking

pytestmark = pytest.mark.userns

NOBODY = 64998  # has no name, so no ids
INSIDE = """
import os, sys, tempfile
sys.path.insert(0, os.getcwd())
from img.entrypoints.rootless import enter_for_build
host = enter_for_build("unshare")
assert host.id_map.value == "single", host
import pytest
files = tempfile.TemporaryDirectory(dir="/dev/shm")
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "--basetemp", files.name + "/of-pytest",
    *sys.argv[1:]]))
"""
# Tests of what emulation cannot do: to the kernel a step's user is root, any id is one's own, and
# a device is a file with a record, which can be opened and is no device.
IMPOSSIBLE = (
    "a_user_has_no_capabilities or an_id_that_nobody_gave"
    " or no_device_that_a_step_makes_can_be_opened"
)


# As in a container: the kernel then refuses to mount a new /proc (mount_namespaces(7)).
HIDE = 'mount -t tmpfs none /proc/fs && exec "$@"'


def with_one_id(*arguments: str, no_new_privs: bool = False, hidden: bool = False) -> None:
    """Run pytest as a user with one id; ``hidden``: where parts of /proc are."""
    if os.geteuid() != 0:
        lacking("needs root, to be a user without ids")
    who = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    privs = ["--no-new-privs"] if no_new_privs else []
    hiding = ["unshare", "-m", "sh", "-c", HIDE, "sh"] if hidden else []
    done = subprocess.run(
        [*hiding, "setpriv", *who, *privs, sys.executable, "-c", INSIDE, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], "HOME": "/", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout


# What differs under no_new_privs is how namespaces are entered; builds in tests/e2e have it too.
_PRIVS = (False, True) if "IMG_TESTS_ALL" in os.environ else (False,)


@pytest.mark.parametrize("no_new_privs", _PRIVS)
def test_steps_with_one_id_are_fooled_well(no_new_privs: bool) -> None:
    with_one_id(*KINDS["one_id"].files, no_new_privs=no_new_privs)


def test_steps_that_see_the_outer_proc_do_not_get_out() -> None:
    with_one_id("tests/security/test_supervisors.py", hidden=True)


def test_the_executors_promises_hold_with_one_id() -> None:
    others = "crun or runc or chroot or proot or scripted"
    ours = f"not ({others}) and not ({IMPOSSIBLE})"
    with_one_id(
        "tests/contracts/test_executor.py",
        "tests/integration/test_unshare.py",
        "tests/integration/test_unshare_isolation.py",
        "tests/integration/test_escapes.py",
        "-k",
        ours,
    )
