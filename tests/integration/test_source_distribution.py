"""The source distribution is a whole checkout, with its links and tests."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from tests.support.host.machine import REPOSITORY, lacking

_MADE = ("PKG-INFO", "setup.cfg", "img_builder.egg-info")  # by setuptools
_NOT_SOURCE = shutil.ignore_patterns(
    *(".git", ".venv", ".coverage*", ".hypothesis", ".*_cache", "__pycache__"),
    *("build", "dist", *_MADE),
)


def test_the_source_distribution_is_a_whole_checkout(tmp_path: Path) -> None:
    if find_spec("setuptools") is None:
        lacking("setuptools is not installed")
    source = shutil.copytree(REPOSITORY, tmp_path / "source", symlinks=True, ignore=_NOT_SOURCE)
    expected = _files_and_links(source)
    build = "from setuptools.build_meta import build_sdist; build_sdist('dist')"

    done = subprocess.run(
        [sys.executable, "-c", build], cwd=source, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    [archive] = (source / "dist").glob("*.tar.gz")
    (tmp_path / "unpacked").mkdir()
    subprocess.run(["tar", "xzf", archive, "-C", tmp_path / "unpacked"], check=True)
    [unpacked] = (tmp_path / "unpacked").iterdir()
    found = _files_and_links(unpacked)
    assert {path: link for path, link in found.items() if not path.startswith(_MADE)} == expected
    assert expected["img/domain"] == "../domain"


def _files_and_links(root: Path) -> dict[str, str]:
    """Return the target of each link, and "" for each file, by path."""
    return {
        str(path.relative_to(root)): os.readlink(path) if path.is_symlink() else ""
        for path in root.rglob("*")
        if path.is_symlink() or path.is_file()
    }
