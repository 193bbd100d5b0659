"""Runs tests as an ordinary user without ids, outside of any namespace."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.host.kinds import KINDS
from tests.support.host.machine import REPOSITORY, need_root, program


def test_what_only_a_plain_user_can_see_is_seen_by_one() -> None:
    need_root()
    program("proot")
    nobody = ["setpriv", "--reuid=64998", "--regid=64998", "--clear-groups"]
    files = Path("/dev/shm", f"img-plain-{os.getpid()}")
    files.mkdir()
    files.chmod(0o777)
    pytest = ["-m", "pytest", "-q", "-p", "no:cacheprovider", f"--basetemp={files}/pytest"]
    try:
        done = subprocess.run(
            [*nobody, sys.executable, *pytest, "-m", "plain_user", *KINDS["plain_user"].files],
            cwd=REPOSITORY,
            env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        shutil.rmtree(files)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
