"""The documents make a site."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from tests.support.host.machine import REPOSITORY, lacking


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    if find_spec("material") is None:
        lacking("mkdocs-material is not installed")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]

    done = subprocess.run(build, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "commands" / "index.html").exists()
