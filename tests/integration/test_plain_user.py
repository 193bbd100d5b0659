"""Runs of tests by ordinary users, outside of any namespace.

Root and other users share most code. What differs is below: files, locks, processes and namespaces
of the user, and owners that are recorded. So a part of the tests is run again by a user without
subordinate ids, and by one with them, as a contributor would run them.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.host import accounts
from tests.support.host.kinds import KINDS
from tests.support.host.machine import REPOSITORY, need_root, program

_WITHOUT_IDS = ("setpriv", "--reuid=64998", "--regid=64998", "--clear-groups", "env")
# Tests that depend on the user: files that belong to root for root, permissions, processes.
_OF_ALL_USERS = (
    *(
        f"tests/contracts/test_{port}.py"
        for port in (
            *("blob_store", "blob_trash", "build_context", "cache_mounts", "context_source"),
            *("context_views", "credential_store", "layer_unpacking", "layout_writer"),
            *("output_files", "scratch_space", "secret_source", "state_lock", "state_space"),
            "working_copy",
        )
    ),
    *(
        f"tests/unit/adapters/{folder}"
        for folder in ("build_context", "executor", "linux", "output_files", "storage")
    ),
    "tests/unit/application/solver/steps/test_execute.py",
    # The other tests of this file are in memory.
    "tests/unit/application/test_remade_parents.py::test_an_imported_cache_obeys_too",
)
_OF_USERS_WITH_IDS = (
    "tests/integration/test_img_unshare.py",
    "tests/unit/adapters/linux/test_outsider.py",
)


@pytest.fixture
def files() -> Iterator[Path]:
    """Yield a directory that all users may enter."""
    files = Path("/dev/shm", f"img-plain-{os.getpid()}")
    files.mkdir()
    files.chmod(0o777)
    yield files
    shutil.rmtree(files)


def run_by(user: Sequence[str], files: Path, *arguments: str) -> None:
    """Run tests by the user that the words ``user`` become; all must pass."""
    need_root()
    variables = ("PATH=/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONDONTWRITEBYTECODE=1")
    options = ["-q", "-p", "no:cacheprovider", f"--basetemp={files}/pytest"]
    done = subprocess.run(
        [*user, *variables, sys.executable, "-m", "pytest", *options, *arguments],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_what_only_a_plain_user_can_see_is_seen_by_one(files: Path) -> None:
    program("proot")
    run_by(_WITHOUT_IDS, files, "-m", "plain_user", *KINDS["plain_user"].files)


def test_tests_that_depend_on_the_user_pass_for_one_without_ids(files: Path) -> None:
    run_by(_WITHOUT_IDS, files, *_OF_ALL_USERS)


def test_tests_of_namespaces_pass_for_a_user_with_ids(files: Path) -> None:
    need_root()
    user = accounts.user()
    words = (program("setpriv"), f"--reuid={user.uid}", f"--regid={user.gid}", "--init-groups")
    run_by((*words, "env", f"HOME={user.home}"), files, *_OF_USERS_WITH_IDS)
