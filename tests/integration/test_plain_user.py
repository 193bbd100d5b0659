"""Runs of tests by an ordinary user without subordinate ids, outside of any namespace."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.host.kinds import KINDS
from tests.support.host.machine import REPOSITORY, need_root, program

# Tests with files that belong to root for root; for other users, owners are recorded.
_WITH_OWNERS = (
    "tests/contracts/test_context_views.py",
    "tests/contracts/test_layer_unpacking.py",
    "tests/contracts/test_output_files.py",
    "tests/contracts/test_secret_source.py",
    "tests/unit/application/solver/steps/test_execute.py",
    "tests/unit/application/test_remade_parents.py",
)


@pytest.fixture
def files() -> Iterator[Path]:
    """Yield a directory that all users may enter."""
    files = Path("/dev/shm", f"img-plain-{os.getpid()}")
    files.mkdir()
    files.chmod(0o777)
    yield files
    shutil.rmtree(files)


def run_by_a_user(files: Path, *arguments: str) -> None:
    """Run tests as an ordinary user; all must pass."""
    need_root()
    user = ["setpriv", "--reuid=64998", "--regid=64998", "--clear-groups"]
    options = ["-q", "-p", "no:cacheprovider", f"--basetemp={files}/pytest"]
    done = subprocess.run(
        [*user, sys.executable, "-m", "pytest", *options, *arguments],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_what_only_a_plain_user_can_see_is_seen_by_one(files: Path) -> None:
    program("proot")
    run_by_a_user(files, "-m", "plain_user", *KINDS["plain_user"].files)


def test_tests_with_owners_of_files_pass_for_a_user(files: Path) -> None:
    run_by_a_user(files, *_WITH_OWNERS)
