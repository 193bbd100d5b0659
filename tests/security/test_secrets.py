"""Secrets of steps do not outlive a build, and PRoot runs none of the image's code itself."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from img.adapters.storage import left_secrets
from img.adapters.storage.work_directory import WorkDirectory
from tests.support.host.descriptors import open_below
from tests.support.host.machine import REPOSITORY, need_root, processes_naming, program
from tests.support.host.waiting import wait_while
from tests.support.steps.step_drivers import processes, wait_for, wait_until_gone

pytestmark = pytest.mark.userns

_NOBODY = 64996  # has no name, so no ids
_DRIVER = """
import os, sys, threading
from pathlib import Path
sys.path.insert(0, {repository!r})
from img.domain.process import DirectoryRoot, FileMount, Process
from tests.support.steps.executors import executor_named
secret = FileMount(target="/run/secrets/x", content=b"hush-hush", mode=0o400)
executor = executor_named({executor!r})
root = DirectoryRoot(path={root!r})
def run(script, **env):
    process = Process(argv=("/bin/sh", "-c", script), env=env, mounts=(secret,))
    return executor.run(process, root, lambda at, data: os.write(at, data), threading.Event())
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    need_root()
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="img-test-") as directory:
        path = Path(directory)
        (path / "root/bin").mkdir(parents=True)
        copied = program("busybox")
        (path / "root/bin/busybox").write_bytes(Path(copied).read_bytes())
        for name in ("busybox", "sh", "sleep", "cat"):
            (path / "root/bin/busybox").chmod(0o755)
            if name != "busybox":
                (path / "root/bin" / name).symlink_to("busybox")
        yield path


def command(executor: str, directory: Path, more: str) -> list[str]:
    """Return the command that runs steps, by a user where the executor is for users."""
    user = _NOBODY if executor == "proot" else 0
    for place, directories, files in os.walk(directory):
        for name in (".", *directories, *files):
            os.chown(os.path.join(place, name), user, user, follow_symlinks=False)
    who = [f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    driver = _DRIVER.format(
        repository=str(REPOSITORY), executor=executor, root=str(directory / "root")
    )
    words = [program("setpriv"), *who] if user else []
    return [*words, sys.executable, "-c", driver + more]


def holding(text: bytes, *places: Path) -> list[str]:
    """Return the files below ``places`` that hold ``text``."""
    found = []
    for place in places:
        for directory, _, files in os.walk(place):
            for name in files:
                path = Path(directory, name)
                if path.is_file() and not path.is_symlink() and path.stat().st_size < 1 << 16:
                    found += [str(path)] if text in path.read_bytes() else []
    return found


def of_user(uid: int) -> list[Path]:
    return list(Path("/dev/shm").glob(f"img-{uid}-*s-*"))


@pytest.mark.parametrize("executor", ["chroot", "proot", "unshare"])
def test_a_secret_is_gone_when_the_next_command_has_started(executor: str, directory: Path) -> None:
    marked = f"sleep 1000.{os.getpid()}{len(executor)}"
    script = "cat /run/secrets/x; busybox ln /run/secrets/x /kept; " + marked
    driver = subprocess.Popen(
        command(executor, directory, f"run({script!r})"),
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
    )
    wait_for(marked, driver=driver)
    # All processes are killed, also those that would clean up, as with a container.
    ours = [int(line.split(":")[0]) for line in processes_naming(str(directory))]
    ours = [*ours, driver.pid, *map(int, processes(marked))]
    # Commands of other tests have such directories at the same time.
    left = [
        place
        for place in of_user(_NOBODY if executor == "proot" else 0)
        if open_below(place, *ours)
    ]
    for pid in ours:
        with suppress(ProcessLookupError):  # it went with the one before
            os.kill(pid, signal.SIGKILL)
    assert driver.stdout is not None
    driver.wait()
    wait_until_gone(marked)
    # A killed process holds its locks until it has ended.
    wait_while(lambda: processes_naming(str(directory)), patience_s=30)

    sweep = "from img.entrypoints.rootless import sweep_secrets; sweep_secrets()"
    subprocess.run([*command(executor, directory, sweep)], check=True, cwd=REPOSITORY)

    assert bool(left) == (executor != "unshare")  # which mounts secrets
    assert holding(b"hush-hush", directory, *left) == []
    assert [place for place in left if place.exists()] == []


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a place of one's own: what is in /dev/shm is counted above, by other processes too."""
    monkeypatch.setattr(left_secrets, "_MEMORY", str(tmp_path))


@pytest.mark.usefixtures("memory")
def test_no_secret_of_a_running_step_is_swept() -> None:
    running = left_secrets.new_notes()
    left_secrets.remember(running.path, "/nowhere/at/all")

    left_secrets.sweep()
    assert os.path.isdir(running.path)
    running.remove()


@pytest.mark.usefixtures("memory")
def test_what_a_link_in_the_place_of_a_secret_leads_to_is_left_alone(tmp_path: Path) -> None:
    victim, link = tmp_path / "victim", tmp_path / "link"
    victim.write_text("kept")
    link.symlink_to(victim)
    left = left_secrets.new_notes()
    left_secrets.remember(left.path, str(link))
    left.release()

    left_secrets.sweep()

    assert victim.read_text() == "kept"
    assert not os.path.exists(left.path)


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize("name", ["copy-victim", "1"])
def test_no_link_that_a_step_left_among_its_secrets_is_followed(tmp_path: Path, name: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("kept")
    left = left_secrets.new_directory()
    Path(left.path, name).symlink_to(victim)
    left.release()

    left_secrets.sweep()

    assert victim.read_text() == "kept"
    assert not os.path.exists(left.path)


def test_directories_of_other_users_are_left_alone() -> None:
    need_root()
    name = f"img-{os.geteuid()}-secrets-"
    foreign = WorkDirectory.create("/dev/shm", prefix=name)
    os.chown(foreign.path, _NOBODY, _NOBODY)
    foreign.release()

    left_secrets.sweep()

    assert os.path.isdir(foreign.path)
    os.rmdir(foreign.path)


def test_the_environment_of_an_image_is_not_that_of_proot(directory: Path) -> None:
    program("proot")
    traced = directory / "loaded"
    script = "cat /proc/$PPID/environ; echo own: $LD_PRELOAD $GCONV_PATH $PROOT_NO_SECCOMP"
    env = {
        "LD_PRELOAD": "/evil.so",
        "LD_DEBUG": "all",
        "LD_DEBUG_OUTPUT": str(traced),
        "GCONV_PATH": "/evil",
        "PROOT_NO_SECCOMP": "1",
        "PATH": "/bin",
    }
    done = subprocess.run(
        command("proot", directory, f"print(run({script!r}, **{env!r}))"),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
    )

    assert done.returncode == 0, done.stderr
    outside, _, own = done.stdout.partition("own: ")
    assert own.splitlines()[0] == "/evil.so /evil 1"
    assert "evil" not in outside
    assert list(directory.glob("loaded*")) == []


def test_the_program_of_a_step_under_proot_is_found_in_what_is_mounted(directory: Path) -> None:
    program("proot")
    (directory / "tools").mkdir()
    (directory / "tools/tool").write_text("#!/bin/sh\necho tool $0 $1\n")
    (directory / "tools/tool").chmod(0o755)
    more = f"""
from img.domain.process import BindMount
tools = BindMount(source={str(directory / "tools")!r}, target="/tools")
process = Process(argv=("tool", "a b"), env={{"PATH": "/bin:/tools"}}, mounts=(tools,))
print(executor.run(process, root, lambda at, data: os.write(at, data), threading.Event()))
"""
    done = subprocess.run(
        command("proot", directory, more),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
    )

    assert done.returncode == 0, done.stderr
    assert "tool /tools/tool a b" in done.stdout, done.stderr
