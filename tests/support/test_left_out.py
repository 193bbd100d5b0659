"""The last lines of a run say what was skipped, and what brings it."""

import os
import subprocess
import sys

from tests.support.host.machine import REPOSITORY
from tests.support.left_out import PACKAGES, summary


def test_missing_programs_are_counted_by_package_with_one_command() -> None:
    reasons = ["no busybox (install busybox-static)", "skopeo is not installed", "no skopeo"]

    counts, command = summary(reasons)

    assert counts.endswith("programs are missing: skopeo (2), busybox-static (1)")
    assert command.endswith(": apt-get install --no-install-recommends busybox-static skopeo")


def test_other_reasons_take_one_line() -> None:
    reasons = [*["needs root"] * 4, *["no /dev/net/tun"] * 3, *["no Landlock"] * 2, "a", "b"]

    (line,) = summary(reasons)

    assert line == (
        "11 tests were skipped for other reasons (pytest -rs shows all): "
        "needs root (4); no /dev/net/tun (3); no Landlock (2); other reasons (2)"
    )


def test_a_run_that_skips_nothing_says_nothing() -> None:
    assert summary([]) == []


def test_ci_installs_every_package_that_is_named() -> None:
    installed = (REPOSITORY / ".ci/run").read_text().split()

    assert set(PACKAGES.values()) - set(installed) == set()


def test_a_run_without_programs_ends_with_the_command() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    tests = ["tests/contracts/test_registry_contents.py", "-k", "oras and delete"]

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests],
        cwd=REPOSITORY,
        env={**environment, "PATH": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert "apt-get install --no-install-recommends docker-registry" in done.stdout
    assert "SKIPPED" not in done.stdout
