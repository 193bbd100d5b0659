"""Leftovers, the end, and the limits of a step in real namespaces."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from img.adapters.executor.fork_server_executor import ForkServerExecutor
from img.adapters.executor.unshare import UnshareLauncher
from img.adapters.linux.userns import NoIdMappers
from img.application.ports.executor import Executor, ExecutorUnavailable, ProcessNotStarted
from img.domain.process import (
    BindMount,
    DirectoryRoot,
    ExitStatus,
    Process,
    TmpfsMount,
    Ulimit,
)
from tests.support.host.descriptors import open_files, opened_since
from tests.support.steps.executors import ISOLATED, executor_named
from tests.support.steps.step_drivers import (
    driver_of,
    kill,
    processes,
    start_driver,
    wait_for,
    wait_until_gone,
    wait_until_gone_from,
)
from tests.support.steps.step_roots import (
    LONG_AGO,
    PASSWD,
    StepRoot,
    Steps,
    in_env,
    lasting,
    step_root,
)

pytestmark = pytest.mark.userns
on_directories = pytest.mark.parametrize("root", ["directory"], indirect=True)


# --- what stays in the root ---


def test_nothing_of_ours_stays_in_an_empty_root(steps: Steps) -> None:
    steps.root.age()
    before = steps.root.listing()

    steps.sh("ls / >/dev/null; test -e /etc/hosts")

    assert steps.root.listing() == before


def test_nothing_of_ours_stays_in_a_full_root(steps: Steps) -> None:
    steps.root.write("etc/passwd", PASSWD)
    steps.root.link("etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf")
    steps.root.write("proc/.keep", "")
    steps.root.age()
    before = steps.root.listing()

    steps.sh("test -s /run/systemd/resolve/stub-resolv.conf")

    after = steps.root.listing()
    if isinstance(steps.root.root, DirectoryRoot):
        assert after == before
    else:  # what was copied up is as it was below
        assert set(after) <= {".", "etc"}
        assert {seen[3] for seen in after.values()} == {LONG_AGO * 10**9}


def test_what_the_step_itself_writes_stays_even_beside_our_mount_points(steps: Steps) -> None:
    mount = in_env(mounts=(TmpfsMount(target="/var/cache/apt"),))

    steps.sh("echo x >/var/cache/kept; echo y >/etc/passwd; busybox touch -d @77 /var", mount)

    assert (steps.root.changed / "var/cache/kept").exists()
    assert os.listdir(steps.root.changed / "var/cache") == ["kept"]
    assert os.listdir(steps.root.changed / "etc") == ["passwd"]
    assert (steps.root.changed / "var").stat().st_mtime == 77


def test_a_mount_point_that_was_changed_is_the_steps(steps: Steps) -> None:
    mount = in_env(mounts=(TmpfsMount(target="/a/b"),))

    steps.sh("busybox chmod 700 /a", mount)

    assert stat.S_IMODE((steps.root.changed / "a").stat().st_mode) == 0o700
    assert not (steps.root.changed / "a/b").exists()


def test_nothing_of_ours_stays_when_the_command_does_not_start(steps: Steps) -> None:
    steps.root.age()
    before = steps.root.listing()

    with pytest.raises(ProcessNotStarted):
        steps.run(["nothing"])

    assert steps.root.listing() == before


# --- how it ends ---


def test_killed_by_a_signal_is_128_and_its_number(steps: Steps) -> None:
    # From inside, only the kernel kills pid 1: here because calls without an end fill its stack.
    no_dump = in_env(ulimits=(Ulimit(name="core", soft=0, hard=0),))

    assert steps.run(["/bin/sh", "-c", "f() { f; }; f"], process=no_dump) == ExitStatus(139)


def test_daemons_end_with_the_command(steps: Steps) -> None:
    tag = lasting()
    steps.sh(f"busybox setsid {tag} </dev/null >/dev/null 2>&1 & echo started")

    assert not processes(tag)


def test_output_of_a_daemon_does_not_hold_the_step(steps: Steps) -> None:
    before = time.monotonic()

    assert steps.sh(f"busybox setsid {lasting()} & echo done") == "done\n"

    assert time.monotonic() - before < 60  # the daemon would last for 1000 s


def test_cancellation_kills_all_of_it_at_once(steps: Steps) -> None:
    cancelled = threading.Event()
    threading.Timer(0.2, cancelled.set).start()
    before = time.monotonic()

    tag = lasting()
    script = f"trap '' TERM INT; {tag} & busybox setsid {tag} & {tag}"
    assert steps.run(["/bin/sh", "-c", script], cancelled=cancelled) == ExitStatus(137)

    assert time.monotonic() - before < 60  # they would last for 1000 s
    assert not processes(tag)


def test_a_sink_that_fails_kills_the_step_and_leaves_nothing(
    executor: Executor, root: StepRoot
) -> None:
    tag = f"echo {lasting()}"
    root.age()
    before = root.listing()

    def full(stream: int, data: bytes) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        executor.run(
            in_env(argv=("/bin/sh", "-c", f"while :; do {tag}; done")),
            root.root,
            full,
            threading.Event(),
        )

    assert not processes(tag)
    assert root.listing() == before


def test_much_output_arrives_whole(steps: Steps) -> None:
    steps.sh("busybox seq 300000; busybox seq 300000 >&2")

    expected = "".join(f"{number}\n" for number in range(1, 300001))
    assert steps.stdout == expected
    assert steps.stderr == expected


def test_close_kills_what_still_runs(root: StepRoot) -> None:
    executor, tag = executor_named("unshare"), lasting()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(Steps(executor, root).run, tag.split())
        wait_for(tag)
        executor.close()
        assert not processes(tag)
        with pytest.raises(ExecutorUnavailable):
            running.result(5)


@on_directories
def test_a_program_that_rises_to_root_does_not_outlive_the_command_line(root: StepRoot) -> None:
    # The kernel clears the parent death signal when a process executes such a program.
    risen = root.changed / "bin/busybox-risen"
    shutil.copy(root.changed / "bin/busybox", risen)
    risen.chmod(0o4755)
    tag = f"/bin/busybox-risen {lasting()}"

    driver = start_driver(root.changed, f"exec {tag}", "1000")
    wait_for(tag, driver=driver)
    kill(driver, signal.SIGKILL)

    wait_until_gone(tag)


@on_directories
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("user", ["", "1000"])
@pytest.mark.parametrize("name", [*ISOLATED, "chroot"])
def test_nothing_outlives_the_command_line(
    root: StepRoot, how: signal.Signals, user: str, name: str
) -> None:
    executor_named(name).close()  # skips where there is none
    tag = lasting()
    script = f"trap '' TERM INT; {tag} & busybox setsid {tag} & {tag}"
    driver = start_driver(root.changed, script, user, name)
    wait_for(tag, 3, driver)

    kill(driver, how)

    wait_until_gone(tag)
    wait_until_gone_from(root.changed.parent)
    assert str(root.changed) not in Path("/proc/self/mountinfo").read_text(encoding="utf-8")


# --- what it cannot do ---


@pytest.mark.parametrize(
    "attempt",
    [
        "mount -t tmpfs tmpfs /bin",
        "mount -t proc proc /bin",
        "mount -o remount,rw /proc/sys",
        "umount /proc/sys",
        "umount /proc",
        "mount -o bind /dev /bin",
        "echo h >/proc/sysrq-trigger",
        "echo x >/proc/sys/kernel/core_pattern",
        "busybox hostname evil",
        "busybox unshare -m true",
        "busybox dmesg -c >/dev/null",
        "busybox chroot /proc/1/root/.. ls /work",
    ],
)
def test_root_in_a_step_is_not_root_of_the_machine(steps: Steps, attempt: str) -> None:
    status = steps.run(["/bin/sh", "-c", attempt])

    assert not status.success
    assert "applet not found" not in steps.stderr


def test_a_step_leads_a_session_of_its_own(steps: Steps) -> None:
    # Otherwise it would have the terminal of the user.
    state = steps.sh("exec cat /proc/self/stat")

    pid, session = state.split()[0], state.rpartition(")")[2].split()[3]
    assert session == pid == "1"


@on_directories
@pytest.mark.parametrize("name", ISOLATED)
def test_no_mount_of_a_step_is_seen_where_mounts_are_shared(root: StepRoot, name: str) -> None:
    executor_named(name).close()  # skips where there is none
    look = "open('/proc/self/mountinfo').read()"
    program = f"before = {look}\n{driver_of(root.changed, 'true', executor=name)}"
    program += f"assert {look} == before != ''\n"

    shared = ["unshare", "--mount", "--propagation", "shared"]
    # Mounts of other tests come here too; those of a step would be seen each time.
    command = [*shared, sys.executable, "-c", program]
    tries = (subprocess.run(command, check=False) for _ in range(5))
    assert any(tried.returncode == 0 for tried in tries)


@pytest.mark.parametrize("place", ["/null", "/dev/made", "/dev/shm/made", "/in/made", "/t/made"])
def test_no_device_that_a_step_makes_can_be_opened(
    steps: Steps, place: str, tmp_path: Path
) -> None:
    mounts = (
        BindMount(source=str(tmp_path), target="/in", read_only=False),
        TmpfsMount(target="/t"),
    )
    script = f"busybox mknod {place} c 1 3 && echo x >{place}"

    status = steps.run(["/bin/sh", "-c", script], process=in_env(mounts=mounts))

    assert not status.success
    assert "ermi" in steps.stderr  # Permission denied; Operation not permitted


# All ways to try it, in every executor: tests/security/test_interpreter.py.
@pytest.mark.parametrize("executor", ["unshare"], indirect=True)
@pytest.mark.parametrize("link", ["bin/link", "bin/script", "bin/script-of-script"])
def test_a_step_cannot_run_the_program_that_runs_us(steps: Steps, link: str) -> None:
    steps.root.link("bin/link", "/proc/self/exe")
    steps.root.write("bin/script", "#!/proc/self/exe -c\n", 0o755)
    steps.root.write("bin/script-of-script", "#! /bin/script\n", 0o755)

    assert steps.run([f"/{link}"]) == ExitStatus(127)
    assert steps.stderr == "img: exec: /proc/self/exe is no program of this root file system\n"


def test_no_descriptor_of_ours_is_left_open(steps: Steps) -> None:
    # 3 is the directory that ls reads.
    assert steps.sh("ls /proc/self/fd").split() == ["0", "1", "2", "3"]


def test_the_old_root_is_out_of_reach(steps: Steps) -> None:
    mounts = steps.sh("cat /proc/self/mountinfo")

    roots = [line for line in mounts.splitlines() if line.split()[4] == "/"]
    assert len(roots) == 1
    assert " /work" not in mounts
    assert steps.sh("ls /..").split() == sorted({"bin", "dev", "etc", "proc", "sys"})


def test_the_kernel_keyring_of_the_user_is_left_behind(steps: Steps) -> None:
    assert steps.run(["/bin/sh", "-c", "cat /proc/keys"]).success
    assert steps.stdout == ""


# --- between steps ---


def test_steps_run_at_the_same_time(executor: Executor) -> None:
    def run(number: int) -> str:
        with step_root(("directory", "overlay")[number % 2]) as root:
            return Steps(executor, root).sh(f"{seconds}; sleep 1; {seconds}; echo {number}")

    seconds = "busybox cut -d' ' -f1 /proc/uptime"
    with ThreadPoolExecutor(6) as pool:
        outputs = [output.split() for output in pool.map(run, range(6))]

    assert [output[2] for output in outputs] == [str(number) for number in range(6)]
    first, second, *_ = sorted((float(begun), float(ended)) for begun, ended, _ in outputs)
    assert second[0] < first[1]


@on_directories  # an overlay is for one step
def test_descriptors_are_given_back(steps: Steps) -> None:
    steps.sh("true")
    before = open_files()

    for _ in range(20):
        steps.sh("true")
        with pytest.raises(ProcessNotStarted):
            steps.run(["nothing"])

    assert opened_since(before) == []


@on_directories
def test_a_caller_without_standard_descriptors_is_served_as_well(root: StepRoot) -> None:
    program = (
        driver_of(root.changed, "echo out; cat; exit 7")
        .replace("executor_named('", "os._exit(executor_named('")
        .replace("threading.Event(),\n)", "threading.Event(),\n).code)")
    )
    closed = "import os; os.closerange(0, 3)\n" + program

    assert subprocess.run([sys.executable, "-c", closed], check=False).returncode == 7


def test_an_obstacle_is_told_when_something_has_to_run() -> None:
    executor = ForkServerExecutor(UnshareLauncher(), obstacle=NoIdMappers("newuidmap"))

    with pytest.raises(ExecutorUnavailable) as caught:
        executor.run(
            Process(argv=("true",), env={}),
            DirectoryRoot(path="/nowhere"),
            lambda *_: None,
            threading.Event(),
        )

    assert caught.value.message == "newuidmap is not installed"
    assert "uidmap" in (caught.value.hint or "")
    executor.close()
