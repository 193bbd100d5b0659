"""Steps in a changed root: what stands for mounts, what is left, what cannot be reached."""

import os
import signal
import socket
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from img.adapters.linux import capabilities
from img.adapters.linux.processes import parent_of
from img.application.ports.executor import Executor, ExecutorUnavailable, ProcessNotStarted
from img.domain.process import (
    BindMount,
    FileMount,
    Network,
    OverlayRoot,
    TmpfsMount,
    TreeMount,
)
from tests.support.host.waiting import wait_until, wait_while
from tests.support.steps.executors import executor_named
from tests.support.steps.step_roots import (
    GROUP,
    PASSWD,
    StepRoot,
    Steps,
    in_env,
    lasting,
    step_root,
)

pytestmark = pytest.mark.userns


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    executor = executor_named("chroot")
    yield executor
    executor.close()


@pytest.fixture
def root() -> Iterator[StepRoot]:
    with step_root("directory") as root:
        yield root


@pytest.fixture
def beside(root: StepRoot) -> Path:
    """Return a directory on the file system of the root."""
    place = root.changed.parent / "beside"
    place.mkdir()
    return place


# --- what stays in the root ---


@pytest.mark.parametrize("full", [False, True])
def test_nothing_of_ours_stays(steps: Steps, full: bool) -> None:
    if full:
        steps.root.write("etc/hosts", "of the image")
        steps.root.write("dev/made-by-hand", "kept")
        steps.root.write("proc/.keep", "")
        steps.root.link("etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf")
    steps.root.age()
    before = steps.root.listing()

    steps.sh("test -s /etc/hosts; echo x >/dev/new; echo x >/proc/new; rm -rf /dev/shm")

    assert steps.root.listing() == before
    assert os.listdir(steps.root.changed.parent) == ["image"]


def test_what_the_step_writes_stays(steps: Steps) -> None:
    steps.sh("echo y >/etc/passwd; busybox touch -d @77 /etc; rm -r /sys")

    assert os.listdir(steps.root.changed / "etc") == ["passwd"]
    assert (steps.root.changed / "etc").stat().st_mtime == 77


def test_nothing_of_ours_stays_when_the_command_does_not_start(steps: Steps) -> None:
    steps.root.age()
    before = steps.root.listing()

    with pytest.raises(ProcessNotStarted):
        steps.run(["nothing"])

    assert steps.root.listing() == before


# --- what stands for mounts ---


def test_devices_work_and_belong_to_nobody_else(steps: Steps) -> None:
    steps.root.write("etc/passwd", PASSWD)
    steps.root.write("etc/group", GROUP)

    script = "echo x >/dev/null; busybox head -c 3 /dev/zero | busybox wc -c; id -u"
    assert steps.sh(script, in_env(user="app")).split() == ["3", "1000"]
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert os.stat("/dev/null").st_uid == 0


def test_a_cache_is_moved_in_and_comes_back_changed(steps: Steps, beside: Path) -> None:
    (beside / "data").mkdir()
    (beside / "data/old").write_text("1")
    mount = BindMount(source=str(beside / "data"), target="/var/cache/it", read_only=False)

    seen = steps.sh("cat /var/cache/it/old; echo 2 >/var/cache/it/new", in_env(mounts=(mount,)))

    assert seen == "1"
    assert sorted(os.listdir(beside / "data")) == ["new", "old"]
    assert "var" not in os.listdir(steps.root.changed)


def test_what_a_step_puts_in_the_place_of_a_cache_goes_nowhere(steps: Steps, beside: Path) -> None:
    (beside / "data").mkdir()
    mount = BindMount(source=str(beside / "data"), target="/cache", read_only=False)

    steps.sh("busybox rmdir /cache; busybox ln -s /etc /cache", in_env(mounts=(mount,)))

    assert not (beside / "data").is_symlink()


def test_steps_that_share_a_cache_take_turns(executor: Executor, beside: Path) -> None:
    (beside / "data").mkdir()
    process = in_env(
        mounts=(BindMount(source=str(beside / "data"), target="/cache", read_only=False),)
    )

    def run(number: int) -> None:
        with step_root("directory") as root:
            Steps(executor, root).sh(f"echo x >/cache/{number}", process)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, range(4)))
    assert sorted(os.listdir(beside / "data")) == ["0", "1", "2", "3"]


def test_what_is_shown_read_only_is_a_copy(steps: Steps, beside: Path) -> None:
    (beside / "data/sub").mkdir(parents=True)
    (beside / "data/sub/file").write_text("hello")
    os.chown(beside / "data/sub/file", 7, 8)
    process = in_env(mounts=(BindMount(source=str(beside / "data"), target="/in/side"),))

    seen = steps.sh(
        "cat /in/side/sub/file; busybox stat -c %u:%g /in/side/sub/file; rm -r /in/side/sub",
        process,
    )

    assert seen == "hello7:8\n"
    assert (beside / "data/sub/file").exists()


def test_another_root_is_shown(steps: Steps) -> None:
    with step_root("directory") as other:
        other.write("a/b/file", "there")
        other.link("a/link", "/a/b")
        mount = TreeMount(root=other.root, source="/a/link", target="/t")
        assert steps.sh("cat /t/file", in_env(mounts=(mount,))) == "there"
        assert "t" not in os.listdir(steps.root.changed)


def test_files_and_empty_directories_leave_no_trace(steps: Steps) -> None:
    process = in_env(
        user="1000",
        mounts=(
            FileMount(target="/run/secrets/key", content=b"s3cret", uid=1000, mode=0o400),
            TmpfsMount(target="/scratch"),
            FileMount(target="/scratch/in", content=b"inner"),
            FileMount(target="/dev/pipes/x", content=b"script", mode=0o444),
        ),
    )

    script = "cat /run/secrets/key /dev/pipes/x; echo x >/scratch/x; ls /scratch"
    assert steps.sh(script, process).split() == ["s3cretscriptin", "x"]
    assert sorted(os.listdir(steps.root.changed)) == ["bin"]
    assert os.listdir(steps.root.changed.parent) == ["image"]


def test_a_socket_is_linked_in(steps: Steps, beside: Path) -> None:
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(beside / "agent"))
        agent.listen()
        mount = BindMount(source=str(beside / "agent"), target="/run/agent", read_only=False)
        steps.sh("test -S /run/agent", in_env(mounts=(mount,)))
    assert (beside / "agent").exists()


def test_targets_that_are_links_stay_inside_the_root(steps: Steps) -> None:
    steps.root.link("up", "../../../../away")
    steps.root.link("loop", "loop")
    process = in_env(mounts=(FileMount(target="/up/x", content=b"here"),))

    assert steps.sh("cat /away/x", process) == "here"
    assert not os.path.lexists("/away")
    with pytest.raises(ProcessNotStarted, match=r"cannot mount /loop/x: Too many levels"):
        steps.run(["/bin/true"], process=in_env(mounts=(TmpfsMount(target="/loop/x"),)))


# --- what it cannot do ---


def test_what_it_cannot_give_is_refused_by_name(steps: Steps) -> None:
    with pytest.raises(ProcessNotStarted, match="cannot take the network away"):
        steps.run(["/bin/true"], process=in_env(network=Network.NONE))
    overlay = OverlayRoot(lowers=("/a",), upper="/b", work="/c", target="/d")
    with pytest.raises(ExecutorUnavailable, match="cannot mount an overlay"):
        steps.executor.run(in_env(), overlay, lambda *_: None, threading.Event())


@pytest.mark.parametrize(
    "attempt",
    [
        "mount -t tmpfs tmpfs /bin",
        "mount -t proc proc /bin",
        "busybox hostname evil",
        "busybox unshare -m true",
        "busybox chroot / /bin/true",
        "mknod /disk b 254 0",
    ],
)
def test_root_in_a_step_is_not_root_of_the_machine(steps: Steps, attempt: str) -> None:
    assert not steps.run(["/bin/sh", "-c", attempt]).success
    assert "applet not found" not in steps.stderr


def test_its_capabilities_are_fewer_than_those_of_others(steps: Steps) -> None:
    # A process with one more capability may not be traced: the only protection without a filter.
    mask = int(steps.sh("grep CapPrm /proc/self/status").split()[1], 16)

    assert mask == capabilities.DOCKER_DEFAULT & ~capabilities.mask_of(
        "sys_chroot", "mknod", "net_raw"
    )


def test_no_descriptor_leads_out(steps: Steps) -> None:
    for number in range(3, 20):
        status = steps.run(["/bin/sh", "-c", f"echo x >&{number}"])
        assert not status.success, number


# --- how it ends ---


def test_daemons_end_with_the_command(steps: Steps) -> None:
    tag = lasting()
    steps.sh(f"busybox setsid {tag} </dev/null >/dev/null 2>&1 & echo started")

    assert not running(tag)


@pytest.mark.parametrize("generations", [1, 2])
def test_a_step_that_is_not_watched_any_more_does_not_live_on(
    steps: Steps, generations: int
) -> None:
    tag = lasting()
    script = f"busybox setsid {tag} & echo $PPID; {tag}"
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(steps.run, ["/bin/sh", "-c", script])
        wait_until(lambda: steps.stdout and running(tag), "the step runs", patience_s=20)
        watcher = int(steps.stdout)
        for _ in range(generations - 1):
            watcher = parent_of(watcher) or 0
        os.kill(watcher, signal.SIGKILL)
        ended.result(20)

    assert not wait_while(lambda: running(tag), patience_s=5)


def test_its_own_root_is_as_it_was(steps: Steps) -> None:
    before = sorted(os.listdir("/")), os.stat("/etc").st_mtime_ns, os.stat("/dev/null").st_uid

    steps.run(["/bin/sh", "-c", "cd /; rm -rf ../../etc ../dev; echo x >/../../evil"])

    assert before == (
        sorted(os.listdir("/")),
        os.stat("/etc").st_mtime_ns,
        os.stat("/dev/null").st_uid,
    )


def running(command: str) -> bool:
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if line.rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace") == command:
            return True
    return False
