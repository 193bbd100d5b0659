"""Processes that stand by for the next step."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from img.adapters.executor.fork_server_executor import ForkServerExecutor
from img.adapters.linux.processes import children_of_all
from img.application.ports.executor import ExecutorUnavailable
from img.domain.process import BindMount, DirectoryRoot, Network
from tests.support.host.waiting import wait_until
from tests.support.steps.executors import ISOLATED, executor_named
from tests.support.steps.step_drivers import wait_for, wait_until_gone
from tests.support.steps.step_roots import StepRoot, Steps, in_env, lasting, step_root

pytestmark = pytest.mark.userns


@pytest.fixture(params=ISOLATED)
def steps(request: pytest.FixtureRequest) -> Iterator[Steps]:
    executor = executor_named(request.param)
    try:
        with step_root("directory") as root:
            yield Steps(executor, root)
    finally:
        executor.close()


@pytest.fixture
def in_changed_roots() -> Iterator[Steps]:
    executor = executor_named("chroot")
    try:
        with step_root("directory") as root:
            yield Steps(executor, root)
    finally:
        executor.close()


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """Return a mount point; it is unmounted at the end."""
    yield tmp_path
    subprocess.run(["umount", "--lazy", tmp_path], check=False, capture_output=True)


def server_of(steps: Steps) -> int:
    assert isinstance(steps.executor, ForkServerExecutor)
    assert steps.executor._server is not None
    return steps.executor._server._pid


def who_stands_by(steps: Steps) -> int:
    """Return the one child of the fork server, when no step runs."""
    (pid,) = children_of_all()[server_of(steps)]
    return pid


def children_but(pid: int, steps: Steps) -> set[int]:
    """Return the other children of the fork server."""
    return {*children_of_all()[server_of(steps)]} - {pid}


def test_who_stood_by_becomes_the_step(steps: Steps) -> None:
    for _ in range(20):  # after each mount on the machine another one takes its place
        steps.sh("true")
        before = who_stands_by(steps)
        namespace = os.readlink(f"/proc/{before}/ns/uts")
        if steps.sh("ls -l /proc/self/ns/uts").split()[-1] == namespace:
            break
    else:
        raise AssertionError("nobody who stood by became a step")
    assert who_stands_by(steps) != before


def test_a_process_stands_by_before_the_first_step(steps: Steps) -> None:
    steps.executor.require()
    steps.executor.require()
    (first,) = wait_until(lambda: children_of_all().get(server_of(steps), []), "it is forked")

    network = steps.sh("ls -l /proc/self/ns/net", in_env(network=Network.NONE)).split()[-1]

    assert network != os.readlink("/proc/self/ns/net")
    wait_until(lambda: not os.path.exists(f"/proc/{first}"), "it was of no use")


def test_a_root_that_was_mounted_meanwhile_is_the_steps_root(steps: Steps, mounted: Path) -> None:
    steps.sh("true")
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", mounted], check=True)
    image = steps.root.whole[0]
    shutil.copytree(image, mounted, symlinks=True, dirs_exist_ok=True)
    (mounted / "found").touch()
    root = StepRoot(root=DirectoryRoot(path=str(mounted)), changed=mounted, whole=(mounted,))

    assert Steps(steps.executor, root).sh("ls /found") == "/found\n"


def test_steps_that_are_never_alike_have_nobody_stand_by(steps: Steps) -> None:
    for network in (Network.HOST, Network.NONE, Network.HOST):
        steps.sh("true", in_env(network=network))

    assert not children_of_all().get(server_of(steps))
    steps.sh("true")
    assert who_stands_by(steps)


def test_a_root_is_found_through_a_link_that_climbs_to_the_top(steps: Steps) -> None:
    with tempfile.TemporaryDirectory(dir="/", prefix="img-link-") as directory:
        link = Path(directory, "link")
        link.symlink_to(f"..{steps.root.changed.parent}")
        path = link / steps.root.changed.name
        linked = replace(steps.root, root=DirectoryRoot(path=str(path)))

        for _ in range(2):
            assert Steps(steps.executor, linked).sh("echo here") == "here\n"


def test_nobody_stands_by_who_would_keep_a_root_mounted(steps: Steps, mounted: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", mounted], check=True)
    shutil.copytree(steps.root.whole[0], mounted, symlinks=True, dirs_exist_ok=True)
    root = StepRoot(root=DirectoryRoot(path=str(mounted)), changed=mounted, whole=(mounted,))

    Steps(steps.executor, root).sh("true")

    assert not children_of_all().get(server_of(steps))


def test_what_was_mounted_meanwhile_can_be_mounted_in_a_step(steps: Steps, mounted: Path) -> None:
    steps.sh("true")
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", mounted], check=True)
    (mounted / "found").touch()
    given = in_env(mounts=(BindMount(source=str(mounted), target="/given"),))

    assert steps.sh("ls /given", given) == "found\n"


def test_a_step_unlike_the_last_gets_what_it_asks_for(steps: Steps) -> None:
    steps.sh("true")

    tables = [
        steps.sh("cat /proc/mounts", in_env(shm_size=size)) for size in (4096 << 10, 8192 << 10)
    ]
    networks = [
        steps.sh("ls -l /proc/self/ns/net", in_env(network=network)).split()[-1]
        for network in (Network.HOST, Network.NONE, Network.HOST)
    ]

    shm = [table.split(" /dev/shm ")[1].splitlines()[0] for table in tables]
    assert ["size=4096k" in shm[0], "size=8192k" in shm[1]] == [True, True]
    own = os.readlink("/proc/self/ns/net")
    assert [network == own for network in networks] == [True, False, True]


def test_the_next_step_runs_when_who_stood_by_was_killed(steps: Steps) -> None:
    steps.sh("true")
    pid = who_stands_by(steps)
    os.kill(pid, signal.SIGKILL)
    wait_until(
        lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z",
        "the process ends",
    )

    assert steps.sh("echo here") == "here\n"


def test_who_stands_by_goes_with_the_executor(steps: Steps) -> None:
    steps.sh("true")
    pid = who_stands_by(steps)

    steps.executor.close()

    assert not os.path.exists(f"/proc/{pid}")


def test_who_stands_by_goes_when_the_fork_server_is_killed(steps: Steps) -> None:
    steps.sh("true")
    pid = who_stands_by(steps)

    os.kill(server_of(steps), signal.SIGKILL)

    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "the process is reaped")


def test_what_it_became_goes_when_the_fork_server_is_killed(steps: Steps) -> None:
    steps.sh("true")
    tag = lasting()
    with ThreadPoolExecutor() as pool:
        running = pool.submit(steps.run, ["/bin/sh", "-c", f"exec {tag}"])
        wait_for(tag)

        os.kill(server_of(steps), signal.SIGKILL)

        with pytest.raises(ExecutorUnavailable, match="is gone"):
            running.result()
    wait_until_gone(tag)


def test_a_watcher_stands_by_and_is_no_part_of_the_step_that_is_watched(
    in_changed_roots: Steps,
) -> None:
    steps = in_changed_roots
    steps.sh("true")
    first = who_stands_by(steps)
    tag = lasting()
    with ThreadPoolExecutor() as pool:
        running = pool.submit(steps.run, ["/bin/sh", "-c", f"exec {tag}"])
        try:
            wait_for(tag)
            (second,) = wait_until(lambda: children_but(first, steps), "another stands by")
        finally:
            os.kill(first, signal.SIGKILL)  # all that it watched is killed

        assert running.result().code == 128 + signal.SIGKILL
    wait_until_gone(tag)
    assert who_stands_by(steps) == second
    assert steps.sh("echo here") == "here\n"


def test_a_watcher_that_stands_by_goes_when_the_fork_server_is_killed(
    in_changed_roots: Steps,
) -> None:
    in_changed_roots.sh("true")
    pid = who_stands_by(in_changed_roots)

    os.kill(server_of(in_changed_roots), signal.SIGKILL)

    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "the process is reaped")
