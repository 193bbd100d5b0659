"""Escape attempts of images, Dockerfiles and steps, in every executor."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from img.application.ports.executor import Executor, ProcessNotStarted
from img.domain.process import (
    BindMount,
    DirectoryRoot,
    FileMount,
    ProcessMount,
    TmpfsMount,
    TreeMount,
)
from tests.support.host.machine import REPOSITORY
from tests.support.host.waiting import last_of
from tests.support.images.evil_archives import Outside
from tests.support.steps.executors import ALL, ISOLATED, executor_named
from tests.support.steps.orphans import gathered
from tests.support.steps.step_attempts import CHANGES, DAEMONS, DRIVER, LOOK, READS, trying
from tests.support.steps.step_roots import StepRoot, Steps, in_env, step_root

pytestmark = pytest.mark.userns

_SOURCES = ("directory", "file", "tmpfs", "text", "tree")


@pytest.fixture(scope="module", params=ALL)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def executor(name: str) -> Iterator[Executor]:
    executor = executor_named(name)
    yield executor
    executor.close()


# Promises of executors with namespaces (docs/rootless.md).
with_namespaces = pytest.mark.parametrize("name", ISOLATED, indirect=True)


@pytest.fixture
def root(executor: Executor) -> Iterator[StepRoot]:
    with step_root("directory") as root:
        root.write("etc/passwd", "app:x:1000:1000::/:/bin/sh\n")
        yield root


@pytest.fixture
def outside(root: StepRoot) -> Outside:
    """Return a directory next to the root, like others of the state."""
    return Outside(root.changed.parent)


@pytest.fixture
def mounts(root: StepRoot) -> Iterator[dict[str, ProcessMount]]:
    """Return one mount of each kind; the test chooses the target."""
    beside = root.changed.parent / "beside"
    (beside / "directory").mkdir(parents=True)
    (beside / "file").write_text("x")
    with step_root("directory") as other:
        assert isinstance(other.root, DirectoryRoot)
        yield {
            "directory": BindMount(source=str(beside / "directory"), target="", read_only=False),
            "file": BindMount(source=str(beside / "file"), target=""),
            "tmpfs": TmpfsMount(target=""),
            "text": FileMount(target="", content=b"x"),
            "tree": TreeMount(root=other.root, source="/bin", target=""),
        }


def links_out_of(root: StepRoot, outside: Outside) -> None:
    root.link("up", "../" * 20 + str(outside.path).lstrip("/"))
    root.link("absolute", str(outside.path))
    root.link("process", "/proc/self/root")
    root.link("first", f"/proc/1/root{outside.path}")
    root.link("here", "/proc/self/cwd")
    root.link("open", "/proc/self/fd/3")
    root.link("loop", "loop")
    root.link("dir/link", "../up")
    root.write("file", "a file")


_TARGETS = (
    "/up/pwn",
    "/up",
    "/absolute/pwn/deeper",
    "/absolute/secret",
    "/process/../../pwn",
    "/process/{outside}/pwn",
    "/first/pwn",
    "/here/../../pwn",
    "/open/pwn",
    "/loop/pwn",
    "/loop",
    "/file/pwn",
    "/dir/link/pwn",
    "/../../../../{outside}/pwn",
    "/dir/../../up/pwn",
    "/proc/self/root/{outside}/pwn",
    "/proc/1/cwd/pwn",
    "/dev/../../../{outside}/pwn",
)


@pytest.mark.parametrize("kind", _SOURCES)
def test_no_target_of_a_mount_is_outside(
    steps: Steps, outside: Outside, mounts: dict[str, ProcessMount], kind: str, name: str
) -> None:
    links_out_of(steps.root, outside)
    started = 0
    # For runtimes it is the same code that mounts; and they, and PRoot, take their time.
    for target in _TARGETS[:: 1 if name in ("unshare", "chroot") else 5]:
        there = target.replace("{outside}", str(outside.path))
        mount = replace(mounts[kind], target=there)
        with suppress(ProcessNotStarted):  # clear enough; and most come to be inside
            steps.run(["/bin/true"], process=in_env(mounts=(mount,)))
            started += 1
        outside.assert_untouched(target)
    assert started >= 3  # or it was refused for another reason than what is tried
    assert "/pwn" not in Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    assert sorted(os.listdir(steps.root.changed.parent)) == ["beside", "image", "outside"]


@pytest.mark.parametrize(
    "source", ["/up", "/absolute", "/up/secret", "/../../../../{outside}", "/process/{outside}"]
)
def test_no_source_of_another_stage_is_outside(steps: Steps, outside: Outside, source: str) -> None:
    source = source.replace("{outside}", str(outside.path))
    with step_root("directory") as other:
        links_out_of(other, outside)
        mount = TreeMount(root=other.root, source=source, target="/seen")
        with suppress(ProcessNotStarted):
            steps.run(["/bin/sh", "-c", "cat /seen /seen/*"], process=in_env(mounts=(mount,)))
        assert outside.text not in steps.stdout
    outside.assert_untouched(source)


@pytest.mark.parametrize(
    "cwd", ["/up/pwn", "/absolute/pwn", "/here/pwn", "/loop/pwn", "/file", "/../..{outside}/pwn"]
)
def test_no_working_directory_is_outside(steps: Steps, outside: Outside, cwd: str) -> None:
    links_out_of(steps.root, outside)

    with suppress(ProcessNotStarted):
        steps.run(
            ["/bin/sh", "-c", "cat secret ../secret; echo x >pwn"],
            process=in_env(cwd=cwd.replace("{outside}", str(outside.path))),
        )
        assert outside.text not in steps.stdout

    outside.assert_untouched(cwd)


@pytest.mark.parametrize("file", ["passwd", "group"])
@pytest.mark.parametrize("trick", ["link out", "fifo", "endless", "directory", "loop"])
def test_users_are_those_of_the_image_and_of_files(
    steps: Steps, outside: Outside, file: str, trick: str
) -> None:
    (outside.path.parent / file).write_text("evil:x:4242:\n")
    place = steps.root.changed / "etc" / file
    place.unlink(missing_ok=True)
    match trick:
        case "link out":
            place.symlink_to("../" * 20 + str(outside.path.parent / file).lstrip("/"))
        case "fifo":
            os.mkfifo(place)
        case "endless":
            place.symlink_to("/dev/zero")
        case "directory":
            place.mkdir()
        case "loop":
            place.symlink_to(file)

    user = "evil" if file == "passwd" else "1000:evil"
    with pytest.raises(ProcessNotStarted, match="evil"):
        steps.run(["/bin/true"], process=in_env(user=user))


@pytest.mark.parametrize("file", ["etc/resolv.conf", "etc/hosts"])
@pytest.mark.parametrize("trick", ["fifo", "directory", "loop", "link out", "parent is a link out"])
def test_our_own_files_go_nowhere_else(
    steps: Steps, outside: Outside, file: str, trick: str
) -> None:
    links_out_of(steps.root, outside)
    place = steps.root.changed / file
    match trick:
        case "fifo":
            os.mkfifo(place)
        case "directory":
            place.mkdir()
        case "loop":
            place.symlink_to(place.name)
        case "link out":
            place.symlink_to(str(outside.path / "secret"))
        case _:
            (steps.root.changed / "etc/passwd").unlink()
            (steps.root.changed / "etc").rmdir()
            (steps.root.changed / "etc").symlink_to("../" * 20 + str(outside.path).lstrip("/"))

    with suppress(ProcessNotStarted):
        steps.run(["/bin/sh", "-c", f"echo pwned >>/{file}"])

    outside.assert_untouched(trick)


@pytest.mark.parametrize("place", ["dev", "proc", "sys", "etc"])
@pytest.mark.parametrize("trick", ["relative link", "absolute link", "file", "loop", "fifo"])
def test_our_own_directories_go_nowhere_else(
    steps: Steps, tmp_path: Path, place: str, trick: str
) -> None:
    outside = Outside(tmp_path)  # not below /dev
    (steps.root.changed / "etc/passwd").unlink()
    (steps.root.changed / "etc").rmdir()
    where = steps.root.changed / place
    match trick:
        case "relative link":
            where.symlink_to("../" * 20 + str(outside.path).lstrip("/"))
        case "absolute link":
            where.symlink_to(outside.path)
        case "file":
            where.write_text("")
        case "loop":
            where.symlink_to(place)
        case _:
            os.mkfifo(where)

    with suppress(ProcessNotStarted):
        steps.run(["/bin/sh", "-c", f"echo pwned >/{place}/pwn"])

    outside.assert_untouched(trick)
    assert not [at for at in ("/null", "/shm", "/hosts") if os.path.lexists(at)]


# --- what root tries in a step ---


def test_files_outside_cannot_be_read(steps: Steps, outside: Outside, name: str) -> None:
    # PRoot is no boundary for a step that reads /proc (docs/rootless.md).
    attempts = [one for one in READS if name != "proot" or "/proc/" not in one]
    script = trying(attempts).replace("{outside}", str(outside.path))

    assert steps.run(["/bin/sh", "-c", script]).success

    assert outside.text not in steps.stdout
    assert "applet not found" not in steps.stderr
    outside.assert_untouched(attempts)


@with_namespaces
def test_the_machine_cannot_be_changed(steps: Steps) -> None:
    assert steps.run(["/bin/sh", "-c", trying(CHANGES)]).success

    succeeded = [CHANGES[int(number)] for number in re.findall(r"succeeded: (\d+)", steps.stdout)]
    assert succeeded == [], steps.stderr
    assert "applet not found" not in steps.stderr


def test_nothing_comes_in_but_what_was_given(steps: Steps, name: str) -> None:
    given = in_env(env={"A": "b"}, user="app")

    assert steps.run(["busybox", "env"], process=given).success

    seen = dict(line.split("=", 1) for line in steps.stdout.splitlines())
    ignored = {"PWD"} if name == "proot" else set()  # it sets that itself
    assert seen.keys() - ignored == {"PATH", "HOME", "A"}
    assert seen["HOME"] == "/"


def test_neither_environment_nor_descriptors_of_ours_are_seen(name: str, root: StepRoot) -> None:
    # From a process that was started with both: all users may read its initial arguments.
    executor_named(name).close()
    root.write("look", LOOK, mode=0o755)
    with open(root.changed / "bin/busybox", "rb") as held:
        os.set_inheritable(held.fileno(), True)
        done = subprocess.run(
            [sys.executable, "-c", DRIVER.format(name=name, path=str(root.changed))],
            env={"PATH": os.environ["PATH"], "IMG_MARK": "hidden-from-steps"},
            cwd=REPOSITORY,
            pass_fds=(held.fileno(),),
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    assert done.returncode == 0, done.stderr
    if name not in ("proot",):  # it shows the processes of the machine
        assert "hidden-from-steps" not in done.stdout
    own = done.stdout.partition("own:")[2]
    assert "hidden-from-steps" not in own
    assert re.search(r"fds: (0 1 2( 3)? |\* )?\.", own), own
    assert "fds: open" not in own


@with_namespaces
def test_the_keyring_is_a_new_one(steps: Steps) -> None:
    assert (
        steps.sh("cat /proc/keys /proc/key-users 2>/dev/null | busybox grep -c img; true") == "0\n"
    )


@with_namespaces
def test_processes_outside_cannot_be_seen_or_ended(steps: Steps) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        steps.run(["/bin/sh", "-c", f"kill -9 {other.pid}; kill -9 -1"])
        pids = steps.sh("for p in /proc/[0-9]*; do echo ${p#/proc/}; done").split()
        alive = other.poll() is None
        other.kill()

    assert alive
    assert len(pids) <= 2


@pytest.mark.parametrize("how", DAEMONS)
def test_nothing_survives_its_step(name: str, root: StepRoot, how: str) -> None:
    script = DAEMONS[how].replace("{time}", "5999")
    with gathered() as orphans:
        executor = executor_named(name)
        steps = Steps(executor, root)
        try:
            steps.sh("true")  # a process stands by from here on
            before = len(orphans.living())
            assert steps.run(["/bin/sh", "-c", f"{script}\nexit 0"]).code == 0
            left = last_of(orphans.living, lambda found: len(found) <= before, patience_s=5)
            assert not [line for line in left if "5999" in line], left
            assert len(left) <= before, left
        finally:
            executor.close()
        assert orphans.wait(5) == []


@with_namespaces
def test_a_step_that_ends_its_neighbours_ends_no_other_step(executor: Executor) -> None:
    with step_root("directory") as one, step_root("directory") as two:
        longer = Steps(executor, one)
        thread = threading.Thread(
            target=longer.run, args=(["/bin/sh", "-c", "sleep 1; echo here"],)
        )
        thread.start()
        Steps(executor, two).run(["/bin/sh", "-c", "kill -9 -1; kill -9 2 3 4 5 6 7 8 9"])
        thread.join()
    assert longer.stdout == "here\n"
