"""The findings of ``img doctor`` on a real machine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from img.adapters.host_survey.linux import LinuxSurvey
from img.adapters.linux.boot import boot_name
from img.adapters.linux.host_probe_cache import HostProbeCache
from img.application.usecases.diagnose import GIVES
from tests.support.host.machine import REPOSITORY

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


def test_everything_is_tried_and_nothing_is_left(tmp_path: Path) -> None:
    found = LinuxSurvey().look(tmp_path / "state")

    assert set(found) == set(GIVES)
    assert os.listdir(tmp_path / "state") == []
    assert found["state"].works
    assert found["privileges"].works


def test_what_does_not_work_says_what_would_help(tmp_path: Path) -> None:
    found = LinuxSurvey().look(tmp_path / "state")

    for name, finding in found.items():
        assert finding.works or finding.remedy or finding.detail.startswith("not tried"), name


def test_it_takes_no_time(tmp_path: Path) -> None:
    # What it and its children compute: a machine that is busy with something else does not count.
    arguments = [sys.executable, "-m", "img", "doctor", "--json", "--state", str(tmp_path)]
    took = []
    for _ in range(5):
        before = os.times()
        subprocess.run(arguments, capture_output=True, check=True, cwd=REPOSITORY)
        after = os.times()
        took.append(
            after.children_user
            + after.children_system
            - before.children_user
            - before.children_system
        )

    assert min(took) < 0.2


def test_a_refusal_of_yesterday_is_forgotten_when_it_works_today(tmp_path: Path) -> None:
    ids = "same" if os.geteuid() == 0 else "subordinate"
    overlays = tmp_path / "snapshots" / ids / boot_name() / "overlay"
    overlays.mkdir(parents=True)
    probes = HostProbeCache(f"{overlays}/refused.json")
    probes.record_refusal("overlay", "the moon")

    found = LinuxSurvey().look(tmp_path)

    assert (probes.reason("overlay") is None) == found["overlay"].works


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

    first, *_ = [line for line in built.stderr.splitlines() if line.startswith("#")]
    executor = diagnosis["executor"] + (
        f" with one id, the others emulated ({diagnosis['emulation']})"
        if diagnosis["emulation"]
        else ""
    )
    assert first.startswith(
        f"#1 [internal] executor {executor}, snapshots {diagnosis['snapshotter']}"
    )
    assert ("; " in first) == bool(diagnosis["reasons"])


def test_for_people_it_says_what_was_chosen(tmp_path: Path) -> None:
    told = img("doctor", "--state", str(tmp_path), home=tmp_path)

    assert told.returncode == 0
    assert "--executor auto: " in told.stdout
    assert "--backend auto: " in told.stdout


def test_whoever_reads_the_table_of_findings_finds_each_explained(tmp_path: Path) -> None:
    diagnosis = json.loads(
        img("doctor", "--json", "--state", str(tmp_path / "s"), home=tmp_path).stdout
    )

    assert {one["name"] for one in diagnosis["checked"]} == set(GIVES)
    assert all(one["gives"] for one in diagnosis["checked"])
