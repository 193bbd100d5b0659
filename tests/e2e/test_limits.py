"""Limits on what a RUN uses, where they can be held and where not."""

import re
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.test_interrupted import Sleeper, assert_nothing_left
from tests.support.host.img_command import Img, ImgFor, WriteContext
from tests.support.host.machine import Account, this_account
from tests.support.host.waiting import wait_until
from tests.support.steps.delegation import delegated_to, hierarchy_of

pytestmark = [pytest.mark.userns, pytest.mark.registry]

_TOO_MUCH = "RUN x=$(head -c 100000000 /dev/zero | tr '\\0' x)\n"
_LIMIT = "cat $(find /sys/fs/cgroup -name memory.max -o -name memory.limit_in_bytes)"
_EXECUTORS = ("unshare", "runc", "crun", "chroot")


@pytest.mark.parametrize("executor", _EXECUTORS)
def test_a_step_that_uses_more_memory_fails_and_says_so(
    img_for: ImgFor, write_context: WriteContext, busybox: str, executor: str
) -> None:
    hierarchy_of("memory")
    context = write_context(f"FROM {busybox}\n{_TOO_MUCH}")

    limits = ("--memory", "24m", "--memory-swap=24m", "--executor", executor)
    outcome = img_for("root")("build", *limits, "-t", "x", context, code=4)

    assert "cannot allocate memory (the kernel killed it for using more than --memory)" in (
        outcome.error_line
    )
    assert "no limit is set" not in outcome.stderr


def test_limits_are_no_part_of_what_a_step_is_found_by(
    img_for: ImgFor, write_context: WriteContext, busybox: str
) -> None:
    img = img_for("root")
    context = write_context(f"FROM {busybox}\nRUN {_LIMIT} > /seen\n")
    img("build", "-m", "64m", "-t", "x", context)

    outcome = img("build", "-m", "128m", "-c", "512", "-t", "x", context)

    assert re.search(r"RUN cat .* > /seen\n#\d+ CACHED", outcome.stderr)


def test_a_user_is_told_once_that_limits_are_not_held_and_what_to_do(
    img_for: ImgFor, write_context: WriteContext, busybox: str
) -> None:
    context = write_context(f"FROM {busybox}\nRUN true\nRUN echo\n")

    outcome = img_for("user")("build", "-m", "64m", "--cpus", "1", "-t", "x", context)

    warnings = [line for line in outcome.stderr.splitlines() if "no limit is set" in line]
    assert len({line.partition("WARN: ")[2] for line in warnings}) == len(warnings) <= 2
    text = "\n".join(warnings)
    assert all(option in text for option in ("--memory", "--cpu-period", "--cpu-quota"))
    assert "systemd-run --user --scope" in text or "version 1 of control groups" in text


@pytest.mark.parametrize("executor", ["unshare", "crun"])
def test_a_user_to_whom_a_group_was_delegated_has_limits(
    img_for: ImgFor, user: Account, write_context: WriteContext, busybox: str, executor: str
) -> None:
    context = write_context(f"FROM {busybox}\nRUN {_LIMIT}\n{_TOO_MUCH}")
    with delegated_to(user) as delegated:
        img = img_for("user")
        img = replace(img, command=delegated.entering(user, img.command), account=this_account())
        outcome = img("build", "-m", "24m", "--executor", executor, "-t", "x", context, code=4)

        assert "cannot allocate memory" in outcome.error_line
        assert str(24 << 20) in outcome.stderr  # of its own group, which is all it sees
        assert delegated.groups() in ([], ["img.main"])


def test_a_killed_build_leaves_no_group(
    img_for: ImgFor, write_context: WriteContext, busybox: str
) -> None:
    top = Path(hierarchy_of("memory").top)
    img = img_for("root")
    length = f"8{img.state.stat().st_ino}.5"
    context = write_context(f"FROM {busybox}\nRUN sleep {length}\n")
    sleeper = Sleeper(img, context, length, "-m", "64m")
    (step,) = top.rglob(f"img-{sleeper.process.pid}-*")

    sleeper.process.send_signal(signal.SIGKILL)
    sleeper.end()

    assert_nothing_left(sleeper)
    wait_until(lambda: not step.exists(), "the group goes")  # when the last process is reaped


def test_a_step_is_tried_again_and_stopped_in_time(
    img: Img, busybox: str, write_context: WriteContext
) -> None:
    flaky = "RUN --mount=type=cache,target=/c test -e /c/x || { touch /c/x; exit 1; }\n"
    slow = "RUN sleep 600\n"

    again = img("build", "--retry=1", write_context(f"FROM {busybox}\n{flaky}", name="flaky"))
    stopped = img(
        "build", "--timeout=1s", write_context(f"FROM {busybox}\n{slow}", name="slow"), code=4
    )

    assert "exit code: 1; retry 1 of 1" in again.stderr
    assert '"/bin/sh -c sleep 600" did not end within 1 s (give --timeout' in (stopped.error_line)
