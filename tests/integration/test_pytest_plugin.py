"""The plug-in for pytest, in a pytest of its own."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.support.host.machine import REPOSITORY

PLUGIN = "img.testing.plugin"
# What img's plug-in imports in each run of pytest.
LEAN = ["img", "img.testing", PLUGIN]


def pytest_run(*arguments: str | Path, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run pytest with the plug-in alone; the checkout of this run may have no entry point yet."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", PLUGIN, "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_example_project_passes() -> None:
    done = pytest_run(cwd=REPOSITORY / "examples/pytest")

    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


def test_a_failed_build_shows_its_output_and_the_state_can_be_kept(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nimg_state = kept\n")
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY missing /\x1b[2J\n")
    (tmp_path / "test_it.py").write_text("def test_it(img_build):\n    img_build('.', tag='app')\n")

    done = pytest_run(cwd=tmp_path)

    assert done.returncode == 1
    assert r"[1/1] COPY missing /\x1b[2J" in done.stdout
    assert "\x1b[2J" not in done.stdout
    assert (tmp_path / "kept").is_dir()


def test_the_plugin_is_an_entry_point_and_imports_nothing_else(tmp_path: Path) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"img": PLUGIN}
    (tmp_path / "test_it.py").write_text(
        "import sys\n\n\ndef test_it():\n"
        f"    assert sorted(name for name in sys.modules if name.startswith('img')) == {LEAN}\n"
    )

    done = pytest_run(cwd=tmp_path)

    assert done.returncode == 0, done.stdout
