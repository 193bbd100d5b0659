"""What a real machine lets us do, as ``img doctor`` finds it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from img.adapters.host_survey.linux import LinuxSurvey
from img.application.usecases.diagnose import GIVES
from tests.host import REPOSITORY

pytestmark = pytest.mark.userns


def img(*arguments: str, home: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "img", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
    )


def test_everything_is_tried_in_no_time_and_leaves_nothing(tmp_path: Path) -> None:
    survey = LinuxSurvey()
    took = []
    for _ in range(5):
        before = time.perf_counter()
        found = survey.look(tmp_path / "state")
        took.append(time.perf_counter() - before)

    assert min(took) < 1  # 0.1 s where nothing else runs
    assert set(GIVES) - set(found) <= {
        "id ranges",
        "overlay",
        "proc",
        "network namespace",
    }
    assert os.listdir(tmp_path / "state") == []
    assert found["state"].works
    assert found["privileges"].works


def test_what_is_found_is_what_a_build_does(tmp_path: Path) -> None:
    told = img("doctor", "--json", "--state", str(tmp_path / "state"), home=tmp_path)
    diagnosis = json.loads(told.stdout)
    busybox = Path("/usr/bin/busybox")
    if not busybox.exists() or not diagnosis["executor"]:
        pytest.skip("nothing can be run here")
    (tmp_path / "busybox").write_bytes(busybox.read_bytes())
    (tmp_path / "busybox").chmod(0o755)
    dockerfile = 'FROM scratch\nCOPY busybox /\nRUN ["/busybox", "true"]\n'
    (tmp_path / "Dockerfile").write_text(dockerfile)

    built = img(
        *("--state", str(tmp_path / "state"), "build", "--progress=plain", "-t", "x"),
        str(tmp_path),
        home=tmp_path,
    )

    chosen = f"executor {diagnosis['executor']}, snapshots {diagnosis['snapshotter']}"
    assert f"[internal] {chosen}" in built.stderr


def test_for_people_it_says_what_was_chosen(tmp_path: Path) -> None:
    told = img("doctor", "--state", str(tmp_path), home=tmp_path)

    assert told.returncode == 0
    assert "--executor auto: " in told.stdout
    assert "--backend auto: " in told.stdout


def test_unshare_runs_a_command_as_the_root_of_builds(tmp_path: Path) -> None:
    told = img("unshare", "id", "-u", home=tmp_path)

    assert told.stdout == "0\n", told.stderr


def test_unshare_names_a_command_that_is_not_there(tmp_path: Path) -> None:
    told = img("unshare", "no-such-thing", home=tmp_path)

    assert told.returncode != 0
    assert "no-such-thing: no such file or directory" in told.stderr
    assert img("unshare", home=tmp_path).returncode != 0
